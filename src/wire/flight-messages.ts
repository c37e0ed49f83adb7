/** The Flight RPC messages: protobuf ↔ plain values. Decoding faults fail with request.malformed. */
import { fail } from '../errors.ts';
import { type Codec, codec } from './protos.ts';

export interface FlightInfo {
  /** The request's descriptor bytes, sent back as they came. */
  readonly descriptor: Uint8Array;
  /** Encapsulated IPC schema. */
  readonly schema: Uint8Array;
  /** One endpoint each, all at this server (no location). */
  readonly tickets: readonly Uint8Array[];
}

export interface Action {
  readonly type: string;
  readonly body: Uint8Array;
}

const PACKAGE = 'arrow.flight.protocol';
const COMMAND_DESCRIPTOR = 2;
const SESSION_CLOSED = 1;
/** Not known before the query has run. */
const UNKNOWN_TOTAL = -1;

const descriptor: Codec = codec(`${PACKAGE}.FlightDescriptor`);
const info: Codec = codec(`${PACKAGE}.FlightInfo`);
const schemaResult: Codec = codec(`${PACKAGE}.SchemaResult`);
const ticket: Codec = codec(`${PACKAGE}.Ticket`);
const action: Codec = codec(`${PACKAGE}.Action`);
const actionType: Codec = codec(`${PACKAGE}.ActionType`);
const flightData: Codec = codec(`${PACKAGE}.FlightData`);
const result: Codec = codec(`${PACKAGE}.Result`);
const closeSession: Codec = codec(`${PACKAGE}.CloseSessionResult`);

/** The command bytes of a FlightDescriptor. */
export function decodeDescriptor(bytes: Uint8Array): Uint8Array {
  const fields = descriptor.decode(bytes);
  if (fields.number('type') !== COMMAND_DESCRIPTOR) fail('request.malformed', 'the flight descriptor holds no command');
  return fields.bytes('cmd');
}

/** The command bytes in the first FlightData message of a DoPut. */
export function decodePutDescriptor(bytes: Uint8Array): Uint8Array {
  const fields = flightData.decode(bytes).message('flightDescriptor');
  return fields?.bytes('cmd') ?? fail('request.malformed', 'the first message holds no flight descriptor');
}

/** Rows come in endpoint order. */
export function encodeFlightInfo(value: FlightInfo): Uint8Array {
  const echoed = descriptor.decode(value.descriptor);
  return info.encode({
    schema: value.schema,
    flightDescriptor: { type: COMMAND_DESCRIPTOR, cmd: echoed.bytes('cmd') },
    endpoint: value.tickets.map((bytes) => ({ ticket: { ticket: bytes } })),
    totalRecords: UNKNOWN_TOTAL,
    totalBytes: UNKNOWN_TOTAL,
    ordered: true,
  });
}

/** `schema` is an encapsulated IPC schema. */
export function encodeSchemaResult(schema: Uint8Array): Uint8Array {
  return schemaResult.encode({ schema });
}

export function decodeTicketMessage(bytes: Uint8Array): Uint8Array {
  return ticket.decode(bytes).bytes('ticket');
}

export function decodeAction(bytes: Uint8Array): Action {
  const fields = action.decode(bytes);
  return { type: fields.string('type'), body: fields.bytes('body') };
}

export function encodeActionType(type: string, description: string): Uint8Array {
  return actionType.encode({ type, description });
}

export function encodeResult(body: Uint8Array): Uint8Array {
  return result.encode({ body });
}

/** The body of a CloseSession result. */
export function encodeSessionClosed(): Uint8Array {
  return closeSession.encode({ status: SESSION_CLOSED });
}
