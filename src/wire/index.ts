/**
 * Bytes on the wire: Flight and Flight SQL protobufs, Arrow IPC framing, FlightData frames, sealed tickets.
 * Pure: no I/O but reading proto/*.proto at start; no policy, no SQL. Owns protobufjs.
 * Sizes are bytes, times are Unix milliseconds. Garbage in fails with request.malformed or ticket.invalid.
 */
export type { CancelStatus, PreparedStatement, ReturnedInfo } from './action-messages.ts';
export {
  decodeCancelAnswer,
  decodeCancelFlightInfo,
  decodeCancelQuery,
  decodeClosePrepared,
  decodeCreatePrepared,
  decodeRenewEndpoint,
  encodeCancelFlightInfo,
  encodeCancelQuery,
  encodeCancelRequest,
  encodeEndpoint,
  encodePreparedStatement,
} from './action-messages.ts';
export { commandHasRows, commandSchema } from './command-schemas.ts';
export type { MetadataCommand, SqlCommand, TableFilter, TableReference } from './commands.ts';
export { commandName, decodeCommand, encodeTaskTicket } from './commands.ts';
export { type DescriptorFile, describeServices } from './descriptors.ts';
export type { FlightData } from './flight-data.ts';
export { decodeFlightData, encodeFlightData, encodeFramePrefix } from './flight-data.ts';
export type { Descriptor, Endpoint, FlightInfo } from './flight-messages.ts';
export {
  decodeAction,
  decodeBasicAuth,
  decodeCriteria,
  decodeDescriptor,
  decodeHandshake,
  decodeTicketMessage,
  encodeActionType,
  encodeFlightInfo,
  encodeHandshake,
  encodePathDescriptor,
  encodePutResult,
  encodeResult,
  encodeSchemaResult,
  encodeTicketMessage,
} from './flight-messages.ts';
export type { IpcMessages } from './ipc.ts';
export { END_OF_STREAM, encapsulate, encapsulatedSchema, messageRows, schemaMessage, splitIpcStream } from './ipc.ts';
export type { PendingPoll, PollAnswer } from './poll.ts';
export { decodePending, decodeRetry, encodePending, encodePollAnswer, encodeRetry } from './poll.ts';
export type { IngestCommand, PutCommand } from './put-commands.ts';
export { decodePutCommand, encodeBindResult, encodeUpdateResult } from './put-commands.ts';
export type { Sealer } from './seal.ts';
export { createSealer } from './seal.ts';
export type { ReflectionAnswer, ReflectionQuestion, ServingStatus } from './service-messages.ts';
export { decodeHealthRequest, decodeReflectionRequest, encodeHealthResponse, encodeReflectionAnswer } from './service-messages.ts';
export type { OptionFault, OptionValue, SessionState } from './session-messages.ts';
export {
  checkGetOptions,
  decodeSessionState,
  decodeSetOptions,
  encodeGetOptionsResult,
  encodeSessionClosed,
  encodeSessionState,
  encodeSetOptionsResult,
} from './session-messages.ts';
export type { PreparedHandle, SessionToken, Ticket } from './ticket.ts';
export {
  checkInForce,
  decodePrepared,
  decodeSession,
  decodeTicket,
  encodePrepared,
  encodeSession,
  encodeTicket,
  inlineFingerprint,
  openTicket,
  TICKET_VERSION,
  taskDatasets,
  taskVersion,
} from './ticket.ts';
