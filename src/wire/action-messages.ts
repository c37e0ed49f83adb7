/** Bodies of actions ↔ plain values: Flight SQL's travel in Any, Flight's own do not. Faults fail with request.malformed. */
import { fail } from '../errors.ts';
import { pack, SQL_PACKAGE, unpack } from './commands.ts';
import { type Endpoint, endpointFields } from './flight-messages.ts';
import { type Codec, codec } from './protos.ts';

export interface PreparedStatement {
  readonly handle: Uint8Array;
  /** Encapsulated IPC schemas; no dataset schema for a statement without rows. */
  readonly datasetSchema: Uint8Array;
  readonly parameterSchema: Uint8Array;
  /** Run it by DoPut, not by DoGet. */
  readonly isUpdate: boolean;
}

/** What a client sends back of a FlightInfo. */
export interface ReturnedInfo {
  readonly tickets: readonly Uint8Array[];
  readonly appMetadata: Uint8Array;
}

/** `cancelling`: somebody who may run it did not answer. */
export type CancelStatus = 'cancelled' | 'cancelling' | 'notCancellable';

const CANCEL_STATUS = { cancelled: 1, cancelling: 2, notCancellable: 3 } as const;
/** Ours have at most 64. */
const ENDPOINTS_MAX = 1000;

const PACKAGE = 'arrow.flight.protocol';
const action: Codec = codec(`${PACKAGE}.Action`);
const actionResult: Codec = codec(`${PACKAGE}.Result`);
const info: Codec = codec(`${PACKAGE}.FlightInfo`);
const cancelRequest: Codec = codec(`${PACKAGE}.CancelFlightInfoRequest`);
const cancelResult: Codec = codec(`${PACKAGE}.CancelFlightInfoResult`);
const renewRequest: Codec = codec(`${PACKAGE}.RenewFlightEndpointRequest`);
const endpoint: Codec = codec(`${PACKAGE}.FlightEndpoint`);
const createRequest: Codec = codec(`${SQL_PACKAGE}.ActionCreatePreparedStatementRequest`);
const createResult: Codec = codec(`${SQL_PACKAGE}.ActionCreatePreparedStatementResult`);
const closeRequest: Codec = codec(`${SQL_PACKAGE}.ActionClosePreparedStatementRequest`);
const cancelQuery: Codec = codec(`${SQL_PACKAGE}.ActionCancelQueryRequest`);
const cancelQueryResult: Codec = codec(`${SQL_PACKAGE}.ActionCancelQueryResult`);

export function decodeCreatePrepared(body: Uint8Array): { readonly sql: string; readonly transaction: boolean } {
  const fields = createRequest.decode(unpackAs('ActionCreatePreparedStatementRequest', body));
  return { sql: fields.string('query'), transaction: fields.bytes('transactionId').length > 0 };
}

export function encodePreparedStatement({ handle, ...rest }: PreparedStatement): Uint8Array {
  return pack('ActionCreatePreparedStatementResult', createResult.encode({ preparedStatementHandle: handle, ...rest }));
}

/** The handle to close. */
export function decodeClosePrepared(body: Uint8Array): Uint8Array {
  return closeRequest.decode(unpackAs('ActionClosePreparedStatementRequest', body)).bytes('preparedStatementHandle');
}

export function decodeCancelFlightInfo(body: Uint8Array): ReturnedInfo {
  const fields = cancelRequest.decode(body).message('info') ?? fail('request.malformed', 'the request holds no flight info');
  return readInfo(fields);
}

export function encodeCancelFlightInfo(status: CancelStatus): Uint8Array {
  return cancelResult.encode({ status: CANCEL_STATUS[status] });
}

/** The action CancelFlightInfo for these Flight tickets, as one server asks another. */
export function encodeCancelRequest(tickets: readonly Uint8Array[]): Uint8Array {
  const body = cancelRequest.encode({ info: { endpoint: tickets.map((ticket) => ({ ticket: { ticket } })) } });
  return action.encode({ type: 'CancelFlightInfo', body });
}

/** Its answer, a Result message; null when it says nothing that is known here. */
export function decodeCancelAnswer(bytes: Uint8Array): CancelStatus | null {
  const status = cancelResult.decode(actionResult.decode(bytes).bytes('body')).number('status');
  const [name] = Object.entries(CANCEL_STATUS).find(([, value]) => value === status) ?? [];
  return (name as CancelStatus | undefined) ?? null;
}

export function decodeCancelQuery(body: Uint8Array): ReturnedInfo {
  return readInfo(info.decode(cancelQuery.decode(unpackAs('ActionCancelQueryRequest', body)).bytes('info')));
}

export function encodeCancelQuery(status: CancelStatus): Uint8Array {
  return pack('ActionCancelQueryResult', cancelQueryResult.encode({ result: CANCEL_STATUS[status] }));
}

/** The endpoint to renew. */
export function decodeRenewEndpoint(body: Uint8Array): Required<Omit<Endpoint, 'expiresAtMs'>> {
  const fields = renewRequest.decode(body).message('endpoint') ?? fail('request.malformed', 'the request holds no endpoint');
  return {
    ticket: fields.message('ticket')?.bytes('ticket') ?? new Uint8Array(0),
    locations: fields.messages('location').map((location) => location.string('uri')),
    appMetadata: fields.bytes('appMetadata'),
  };
}

export function encodeEndpoint(value: Endpoint): Uint8Array {
  return endpoint.encode(endpointFields(value));
}

function readInfo(fields: ReturnType<Codec['decode']>): ReturnedInfo {
  const endpoints = fields.messages('endpoint');
  if (endpoints.length > ENDPOINTS_MAX) fail('request.malformed', `the flight info has more than ${ENDPOINTS_MAX} endpoints`);
  return {
    tickets: endpoints.map((item) => item.message('ticket')?.bytes('ticket') ?? new Uint8Array(0)),
    appMetadata: fields.bytes('appMetadata'),
  };
}

function unpackAs(expected: string, body: Uint8Array): Uint8Array {
  const { name, value } = unpack(body, 'request.malformed');
  return name === expected ? value : fail('request.malformed', `not a valid ${expected} body`);
}
