import { describe, expect, test } from 'vitest';
import {
  decodeCancelFlightInfo,
  decodeCancelQuery,
  decodeClosePrepared,
  decodeCreatePrepared,
  decodeRenewEndpoint,
  encodeCancelFlightInfo,
  encodeCancelQuery,
  encodeEndpoint,
  encodePreparedStatement,
} from '#src/wire/index.js';
import { decode, decodeAny, encode, encodeAny, type PreparedResult } from '../../support/flight-messages.ts';

const malformed = expect.objectContaining({ code: 'request.malformed' });
const info = { endpoint: [{ ticket: { ticket: Buffer.from('a') } }, {}], app_metadata: Buffer.from('m') };
const returned = { tickets: [Buffer.from('a'), new Uint8Array(0)], appMetadata: Buffer.from('m') };

test('prepared statements', () => {
  const body = encodeAny('ActionCreatePreparedStatementRequest', { query: 'SELECT 1' });
  expect(decodeCreatePrepared(body)).toEqual({ sql: 'SELECT 1', transaction: false });
  expect(decodeCreatePrepared(encodeAny('ActionCreatePreparedStatementRequest', { transaction_id: Buffer.from('t') }))).toEqual({
    sql: '',
    transaction: true,
  });
  expect(() => decodeCreatePrepared(encodeAny('CommandGetCatalogs', {}))).toThrow(malformed);
  const parts = { handle: Buffer.from('h'), datasetSchema: Buffer.from('d'), parameterSchema: Buffer.from('p') };
  for (const isUpdate of [true, false]) {
    const result = encodePreparedStatement({ ...parts, isUpdate });
    expect(decodeAny<PreparedResult>('ActionCreatePreparedStatementResult', result)).toEqual({
      prepared_statement_handle: parts.handle,
      dataset_schema: parts.datasetSchema,
      parameter_schema: parts.parameterSchema,
      is_update: isUpdate,
    });
  }
  expect(decodeClosePrepared(encodeAny('ActionClosePreparedStatementRequest', { prepared_statement_handle: Buffer.from('h') }))).toEqual(
    Buffer.from('h'),
  );
  expect(() => decodeClosePrepared(body)).toThrow(malformed);
});

describe('cancel and renew', () => {
  test('requests hold what a client got before', () => {
    expect(decodeCancelFlightInfo(encode('CancelFlightInfoRequest', { info }))).toEqual(returned);
    expect(decodeCancelQuery(encodeAny('ActionCancelQueryRequest', { info: encode('FlightInfo', info) }))).toEqual(returned);
    const endpoint = { ticket: { ticket: Buffer.from('a') }, app_metadata: Buffer.from('m'), location: [{ uri: 'grpc://w:1' }, {}] };
    expect(decodeRenewEndpoint(encode('RenewFlightEndpointRequest', { endpoint }))).toEqual({
      ticket: Buffer.from('a'),
      locations: ['grpc://w:1', ''],
      appMetadata: Buffer.from('m'),
    });
  });

  test.each([
    ['CancelFlightInfo without an info', () => decodeCancelFlightInfo(Buffer.alloc(0))],
    ['CancelFlightInfo with garbage', () => decodeCancelFlightInfo(Buffer.of(0x0a, 5, 1))],
    ['CancelFlightInfo in Any', () => decodeCancelFlightInfo(encodeAny('ActionCancelQueryRequest', {}))],
    ['CancelQuery without Any', () => decodeCancelQuery(encode('ActionCancelQueryRequest', { info: encode('FlightInfo', info) }))],
    ['CancelQuery with garbage inside', () => decodeCancelQuery(encodeAny('ActionCancelQueryRequest', { info: Buffer.of(0xff) }))],
    ['RenewFlightEndpoint without an endpoint', () => decodeRenewEndpoint(Buffer.alloc(0))],
  ])('%s is malformed', (_, run) => {
    expect(run).toThrow(malformed);
  });

  test('answers', () => {
    expect(decode('CancelFlightInfoResult', encodeCancelFlightInfo('cancelled'))).toEqual({ status: 1 });
    expect(decode('CancelFlightInfoResult', encodeCancelFlightInfo('notCancellable'))).toEqual({ status: 3 });
    expect(decodeAny('ActionCancelQueryResult', encodeCancelQuery('cancelled'))).toEqual({ result: 1 });
    expect(decodeAny('ActionCancelQueryResult', encodeCancelQuery('notCancellable'))).toEqual({ result: 3 });
    expect(decode('FlightEndpoint', encodeEndpoint({ ticket: Buffer.from('a'), expiresAtMs: 2_250 }))).toEqual({
      ticket: { ticket: Buffer.from('a') },
      location: [],
      expiration_time: { seconds: '2', nanos: 250_000_000 },
      app_metadata: Buffer.alloc(0),
    });
  });
});
