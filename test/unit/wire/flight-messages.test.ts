import { expect, test } from 'vitest';
import {
  decodeAction,
  decodeDescriptor,
  decodePutDescriptor,
  decodeTicketMessage,
  encodeActionType,
  encodeFlightInfo,
  encodeResult,
  encodeSchemaResult,
  encodeSessionClosed,
} from '#src/wire/index.js';
import { decode, encode } from '../../support/flight-messages.ts';

const malformed = expect.objectContaining({ code: 'request.malformed' });
const cmd = Buffer.from('cmd');
const descriptor = encode('FlightDescriptor', { type: 2, cmd });

test('requests decode', () => {
  expect(decodeDescriptor(descriptor)).toEqual(cmd);
  expect(decodePutDescriptor(encode('FlightData', { flight_descriptor: { type: 2, cmd } }))).toEqual(cmd);
  expect(decodeTicketMessage(encode('Ticket', { ticket: cmd }))).toEqual(cmd);
  expect(decodeAction(encode('Action', { type: 'CloseSession', body: cmd }))).toEqual({ type: 'CloseSession', body: cmd });
});

test('a descriptor that is a path or holds nothing is malformed', () => {
  expect(() => decodeDescriptor(encode('FlightDescriptor', { type: 1, path: ['a'] }))).toThrow(malformed);
  expect(() => decodeDescriptor(new Uint8Array(0))).toThrow(malformed);
  expect(() => decodePutDescriptor(new Uint8Array(0))).toThrow(malformed);
});

test('cut requests are malformed or shorter, never another error', () => {
  for (let length = 0; length < descriptor.length; length++) {
    const cut = descriptor.subarray(0, length);
    for (const read of [decodeDescriptor, decodeTicketMessage, decodeAction, decodePutDescriptor]) {
      try {
        read(cut);
      } catch (error) {
        expect(error).toEqual(malformed);
      }
    }
  }
});

test('FlightInfo has one endpoint per ticket, none of them elsewhere, and unknown totals', () => {
  const info = encodeFlightInfo({ descriptor, schema: Buffer.from('schema'), tickets: [Buffer.from('a'), Buffer.from('b')] });
  expect(decode('FlightInfo', info)).toEqual({
    schema: Buffer.from('schema'),
    flight_descriptor: { type: 2, cmd, path: [] },
    endpoint: ['a', 'b'].map((ticket) => ({
      ticket: { ticket: Buffer.from(ticket) },
      location: [],
      app_metadata: Buffer.alloc(0),
      expiration_time: null,
    })),
    total_records: '-1',
    total_bytes: '-1',
    ordered: true,
    app_metadata: Buffer.alloc(0),
  });
});

test('small answers encode', () => {
  expect(decode('SchemaResult', encodeSchemaResult(cmd))).toEqual({ schema: cmd });
  expect(decode('Result', encodeResult(cmd))).toEqual({ body: cmd });
  expect([...encodeSessionClosed()]).toEqual([8, 1]);
  expect(Buffer.from(encodeActionType('A', 'b')).toString('latin1')).toBe('\n\x01A\x12\x01b');
});
