import { expect, test } from 'vitest';
import {
  decodeAction,
  decodeBasicAuth,
  decodeDescriptor,
  decodeFlightData,
  decodeHandshake,
  decodeTicketMessage,
  encodeActionType,
  encodeFlightData,
  encodeFlightInfo,
  encodeHandshake,
  encodePutResult,
  encodeResult,
  encodeSchemaResult,
  encodeSessionClosed,
} from '#src/wire/index.js';
import { decode, encode } from '../../support/flight-messages.ts';

const malformed = expect.objectContaining({ code: 'request.malformed' });
const cmd = Buffer.from('cmd');
const descriptor = encode('FlightDescriptor', { type: 2, cmd });

test('requests decode', () => {
  expect(decodeDescriptor(descriptor)).toEqual({ kind: 'command', bytes: cmd });
  expect(decodeDescriptor(encode('FlightDescriptor', { type: 1, path: ['a', 'b'] }))).toEqual({ kind: 'path', path: ['a', 'b'] });
  expect(decodeTicketMessage(encode('Ticket', { ticket: cmd }))).toEqual(cmd);
  expect(decodeAction(encode('Action', { type: 'CloseSession', body: cmd }))).toEqual({ type: 'CloseSession', body: cmd });
});

test('a descriptor that holds nothing is malformed', () => {
  expect(() => decodeDescriptor(new Uint8Array(0))).toThrow(malformed);
  expect(() => decodeDescriptor(encode('FlightDescriptor', { type: 7, cmd }))).toThrow(malformed);
});

test('FlightData comes back whole, with and without metadata', () => {
  const header = Buffer.from('header');
  const body = Buffer.alloc(300, 1);
  const appMetadata = Buffer.alloc(200, 2);
  expect(decodeFlightData(encodeFlightData(header, body, appMetadata))).toEqual({ descriptor: null, header, body, appMetadata });
  expect(decodeFlightData(encodeFlightData(header, body))).toEqual({ descriptor: null, header, body, appMetadata: new Uint8Array(0) });
  const described = encode('FlightData', { flight_descriptor: { type: 2, cmd } });
  expect(decodeFlightData(described)).toMatchObject({ descriptor: { kind: 'command', bytes: cmd } });
  expect(decodeFlightData(new Uint8Array(0))).toMatchObject({ descriptor: null, header: new Uint8Array(0) });
});

test('the first authentication: payload there and back', () => {
  expect(decodeHandshake(encode('HandshakeRequest', { protocol_version: 1, payload: cmd }))).toEqual(cmd);
  expect(decodeHandshake(encodeHandshake(cmd))).toEqual(cmd);
  // BasicAuth: username = 2, password = 3.
  expect(decodeBasicAuth(Buffer.from('\x12\x01u\x1a\x02pw'))).toEqual({ username: 'u', password: 'pw' });
  expect(() => decodeBasicAuth(Buffer.of(0xff))).toThrow(expect.objectContaining({ code: 'auth.invalid' }));
});

test('cut requests are malformed or shorter, never another error', () => {
  for (let length = 0; length < descriptor.length; length++) {
    const cut = descriptor.subarray(0, length);
    for (const read of [decodeDescriptor, decodeTicketMessage, decodeAction, decodeFlightData, decodeHandshake]) {
      try {
        read(cut);
      } catch (error) {
        expect(error).toEqual(malformed);
      }
    }
  }
});

test('FlightInfo has its endpoints, none of them elsewhere, and unknown totals', () => {
  const endpoints = [
    { ticket: Buffer.from('a') },
    { ticket: Buffer.from('b'), expiresAtMs: 1_500, locations: ['grpc://x'], appMetadata: cmd },
  ];
  const info = encodeFlightInfo({ descriptor, schema: Buffer.from('schema'), endpoints, ordered: true });
  expect(decode('FlightInfo', info)).toEqual({
    schema: Buffer.from('schema'),
    flight_descriptor: { type: 2, cmd, path: [] },
    endpoint: [
      { ticket: { ticket: Buffer.from('a') }, location: [], app_metadata: Buffer.alloc(0), expiration_time: null },
      {
        ticket: { ticket: Buffer.from('b') },
        location: [{ uri: 'grpc://x' }],
        app_metadata: cmd,
        expiration_time: { seconds: '1', nanos: 500_000_000 },
      },
    ],
    total_records: '-1',
    total_bytes: '-1',
    ordered: true,
    app_metadata: Buffer.alloc(0),
  });
  const path = encode('FlightDescriptor', { type: 1, path: ['a', 'b'] });
  const unordered = encodeFlightInfo({ descriptor: path, schema: cmd, endpoints: [], ordered: false, appMetadata: cmd });
  expect(decode('FlightInfo', unordered)).toMatchObject({
    flight_descriptor: { type: 1, path: ['a', 'b'] },
    ordered: false,
    app_metadata: cmd,
  });
});

test('small answers encode', () => {
  expect(decode('SchemaResult', encodeSchemaResult(cmd))).toEqual({ schema: cmd });
  expect(decode('Result', encodeResult(cmd))).toEqual({ body: cmd });
  expect(decode('Result', encodePutResult(cmd))).toEqual({ body: cmd });
  expect([...encodeSessionClosed()]).toEqual([8, 1]);
  expect(Buffer.from(encodeActionType('A', 'b')).toString('latin1')).toBe('\n\x01A\x12\x01b');
});
