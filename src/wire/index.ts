/**
 * Bytes on the wire: Flight and Flight SQL protobufs, Arrow IPC framing, FlightData frames, sealed tickets.
 * Pure: no I/O but reading proto/*.proto at start; no policy, no SQL. Owns protobufjs.
 * Sizes are bytes, times are Unix milliseconds. Garbage in fails with request.malformed or ticket.invalid.
 */
export { commandHasRows, commandSchema } from './command-schemas.ts';
export type { MetadataCommand, SqlCommand, TableFilter } from './commands.ts';
export { commandName, decodeCommand, decodeCreatePrepared, encodePreparedStatement, encodeTaskTicket } from './commands.ts';
export type { FlightData } from './flight-data.ts';
export { decodeFlightData, encodeFlightData, encodeFramePrefix } from './flight-data.ts';
export type { Descriptor, Endpoint, FlightInfo } from './flight-messages.ts';
export {
  decodeAction,
  decodeBasicAuth,
  decodeDescriptor,
  decodeHandshake,
  decodeTicketMessage,
  encodeActionType,
  encodeFlightInfo,
  encodeHandshake,
  encodePutResult,
  encodeResult,
  encodeSchemaResult,
  encodeSessionClosed,
} from './flight-messages.ts';
export type { IpcMessages } from './ipc.ts';
export { encapsulatedSchema, schemaMessage, splitIpcStream } from './ipc.ts';
export type { Sealer } from './seal.ts';
export { createSealer } from './seal.ts';
export type { PreparedHandle, Ticket } from './ticket.ts';
export {
  checkTicket,
  decodePrepared,
  decodeSession,
  decodeTicket,
  encodePrepared,
  encodeSession,
  encodeTicket,
  inlineFingerprint,
} from './ticket.ts';
