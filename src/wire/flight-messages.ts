/** The Flight RPC messages: protobuf ↔ plain values. Decoding faults fail with request.malformed. */
import { fail } from '../errors.ts';
import { type Codec, codec, type Fields } from './protos.ts';

export interface FlightInfo {
  /** A whole FlightDescriptor message, sent back as it came. */
  readonly descriptor: Uint8Array;
  /** Encapsulated IPC schema. */
  readonly schema: Uint8Array;
  readonly endpoints: readonly Endpoint[];
  /** The order of the endpoints carries the order of the rows. */
  readonly ordered: boolean;
  readonly appMetadata?: Uint8Array;
}

export interface Endpoint {
  readonly ticket: Uint8Array;
  /** Where it is redeemed; empty = where it was made. */
  readonly locations?: readonly string[];
  readonly expiresAtMs?: number;
  readonly appMetadata?: Uint8Array;
}

/** What a FlightDescriptor names. */
export type Descriptor =
  | { readonly kind: 'command'; readonly bytes: Uint8Array }
  | { readonly kind: 'path'; readonly path: readonly string[] };

export interface Action {
  readonly type: string;
  readonly body: Uint8Array;
}

const PACKAGE = 'arrow.flight.protocol';
const PATH_DESCRIPTOR = 1;
const COMMAND_DESCRIPTOR = 2;
/** Not known before the query has run. */
const UNKNOWN_TOTAL = -1;
const NANOS_PER_MS = 1e6;
const EMPTY: Uint8Array = new Uint8Array(0);

const descriptor: Codec = codec(`${PACKAGE}.FlightDescriptor`);
const info: Codec = codec(`${PACKAGE}.FlightInfo`);
const criteria: Codec = codec(`${PACKAGE}.Criteria`);
const schemaResult: Codec = codec(`${PACKAGE}.SchemaResult`);
const ticket: Codec = codec(`${PACKAGE}.Ticket`);
const action: Codec = codec(`${PACKAGE}.Action`);
const actionType: Codec = codec(`${PACKAGE}.ActionType`);
const handshakeRequest: Codec = codec(`${PACKAGE}.HandshakeRequest`);
const handshakeResponse: Codec = codec(`${PACKAGE}.HandshakeResponse`);
const putResult: Codec = codec(`${PACKAGE}.PutResult`);
const basicAuth: Codec = codec(`${PACKAGE}.BasicAuth`);
const result: Codec = codec(`${PACKAGE}.Result`);

export function decodeDescriptor(bytes: Uint8Array): Descriptor {
  return readDescriptor(descriptor.decode(bytes));
}

/** Fields of a descriptor that holds a command. */
export function descriptorFields(command: Uint8Array): Readonly<Record<string, unknown>> {
  return { type: COMMAND_DESCRIPTOR, cmd: command };
}

/** A whole FlightDescriptor message that names a dataset. */
export function encodePathDescriptor(path: readonly string[]): Uint8Array {
  return descriptor.encode({ type: PATH_DESCRIPTOR, path });
}

/** The expression of ListFlights. */
export function decodeCriteria(bytes: Uint8Array): Uint8Array {
  return criteria.decode(bytes).bytes('expression');
}

export function encodeFlightInfo(value: FlightInfo): Uint8Array {
  return info.encode(infoFields(value));
}

/** `schema` is an encapsulated IPC schema. */
export function encodeSchemaResult(schema: Uint8Array): Uint8Array {
  return schemaResult.encode({ schema });
}

export function decodeTicketMessage(bytes: Uint8Array): Uint8Array {
  return ticket.decode(bytes).bytes('ticket');
}

/** As a client sends it to DoGet. */
export function encodeTicketMessage(bytes: Uint8Array): Uint8Array {
  return ticket.encode({ ticket: bytes });
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

/** The payload of a HandshakeRequest. */
export function decodeHandshake(bytes: Uint8Array): Uint8Array {
  return handshakeRequest.decode(bytes).bytes('payload');
}

export function encodeHandshake(payload: Uint8Array): Uint8Array {
  return handshakeResponse.encode({ payload });
}

/** A handshake payload of Flight's first authentication; fails with auth.invalid. */
export function decodeBasicAuth(bytes: Uint8Array): { readonly username: string; readonly password: string } {
  const fields = basicAuth.decode(bytes, 'auth.invalid');
  return { username: fields.string('username'), password: fields.string('password') };
}

export function readDescriptor(fields: Fields): Descriptor {
  const type = fields.number('type');
  if (type === COMMAND_DESCRIPTOR) return { kind: 'command', bytes: fields.bytes('cmd') };
  if (type === PATH_DESCRIPTOR) return { kind: 'path', path: fields.strings('path') };
  return fail('request.malformed', 'the flight descriptor holds neither a command nor a path');
}

export function infoFields(value: FlightInfo): Readonly<Record<string, unknown>> {
  const echoed = descriptor.decode(value.descriptor);
  return {
    schema: value.schema,
    flightDescriptor: { type: echoed.number('type'), cmd: echoed.bytes('cmd'), path: echoed.strings('path') },
    endpoint: value.endpoints.map(endpointFields),
    totalRecords: UNKNOWN_TOTAL,
    totalBytes: UNKNOWN_TOTAL,
    ordered: value.ordered,
    appMetadata: value.appMetadata ?? EMPTY,
  };
}

export function endpointFields({
  ticket: bytes,
  locations = [],
  expiresAtMs,
  appMetadata = EMPTY,
}: Endpoint): Readonly<Record<string, unknown>> {
  const expiry = expiresAtMs === undefined ? {} : { expirationTime: timestamp(expiresAtMs) };
  return { ticket: { ticket: bytes }, location: locations.map((uri) => ({ uri })), appMetadata, ...expiry };
}

/** google.protobuf.Timestamp. */
export function timestamp(ms: number): { readonly seconds: number; readonly nanos: number } {
  const seconds = Math.floor(ms / 1000);
  return { seconds, nanos: Math.round((ms - seconds * 1000) * NANOS_PER_MS) };
}

/** The answer to a DoPut; Flight SQL puts its own result message inside, without Any. */
export function encodePutResult(appMetadata: Uint8Array): Uint8Array {
  return putResult.encode({ appMetadata });
}
