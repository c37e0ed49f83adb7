import { expect, test } from 'vitest';
import { decodePending, decodeRetry, encodePending, encodePollAnswer, encodeRetry } from '#src/wire/index.js';
import { decode, encode, encodeAny, type PollInfo } from '../../support/flight-messages.ts';

const descriptor = encode('FlightDescriptor', { type: 2, cmd: Buffer.from('c') });
const info = { descriptor, schema: Buffer.from('s'), endpoints: [{ ticket: Buffer.from('t') }], ordered: true };

test('a complete answer has no retry descriptor, a pending one has all three', () => {
  const complete = decode<PollInfo>('PollInfo', encodePollAnswer({ info, retry: null, progress: 1, expiresAtMs: null }));
  expect(complete).toMatchObject({ flight_descriptor: null, progress: 1, expiration_time: null });
  expect(complete.info.endpoint).toHaveLength(1);
  const pending = decode<PollInfo>('PollInfo', encodePollAnswer({ info, retry: Buffer.from('r'), progress: 0, expiresAtMs: 1_500 }));
  expect(pending).toMatchObject({
    flight_descriptor: { type: 2, cmd: Buffer.from('r') },
    progress: 0,
    expiration_time: { seconds: '1', nanos: 500_000_000 },
  });
});

test('a retry is told from every other command', () => {
  expect(decodeRetry(encodeRetry(Buffer.from('sealed')))).toEqual(Buffer.from('sealed'));
  for (const other of [encodeAny('CommandGetCatalogs', {}), Buffer.from('SELECT 1'), Buffer.alloc(0), Buffer.of(0xff)])
    expect(decodeRetry(other)).toBeNull();
});

test('a pending poll comes back whole', () => {
  const pending = { pollId: 'p', subject: 'ada', expiresAtMs: 1_795_363_271_855, descriptor: Buffer.from(descriptor) };
  expect(decodePending(encodePending(pending))).toEqual(pending);
  expect(() => decodePending(Buffer.of(0xff))).toThrow(expect.objectContaining({ code: 'ticket.invalid' }));
});
