import { Duplex } from 'node:stream';
import { expect, test } from 'vitest';
import type { RawCall } from '#src/flight/fast-frames.js';
import { createMessageReader } from '#src/flight/messages.js';

/** A call as the reader sees it; it counts how often more was asked for. */
function fakeCall(messages: readonly string[]) {
  let pulled = 0;
  const call = new Duplex({
    objectMode: true,
    read() {
      const message = messages[pulled++];
      this.push(message === undefined ? null : Buffer.from(message));
    },
    write: (_chunk, _encoding, done) => done(),
  });
  // The reader takes what a stream has, and `cancelled`.
  return { call: Object.assign(call, { cancelled: false }) as unknown as RawCall, pulled: () => pulled };
}

test('messages in order, the first as often as one likes, null at the end and after it', async () => {
  const reader = createMessageReader(fakeCall(['a', 'b']).call);
  expect(String(await reader.first())).toBe('a');
  expect(String(await reader.first())).toBe('a');
  expect(String(await reader.next())).toBe('b');
  expect(await reader.next()).toBeNull();
  expect(await reader.next()).toBeNull();
  expect(String(await reader.first())).toBe('a');
});

test('next alone starts with the first', async () => {
  const reader = createMessageReader(fakeCall(['a']).call);
  expect(String(await reader.next())).toBe('a');
  expect(String(await reader.first())).toBe('a');
  expect(await reader.next()).toBeNull();
});

test('no message is null', async () => {
  expect(await createMessageReader(fakeCall([]).call).first()).toBeNull();
});

test('one message is kept ready, not sixteen', async () => {
  const { call, pulled } = fakeCall(Array.from({ length: 50 }, (_, index) => `${index}`));
  const reader = createMessageReader(call);
  await reader.first();
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(pulled()).toBeLessThanOrEqual(3);
});

test('a call that broke is no end', async () => {
  const { call } = fakeCall(['a']);
  const reader = createMessageReader(call);
  await reader.first();
  call.destroy();
  await expect(reader.next()).rejects.toMatchObject({ code: 'request.cancelled' });

  const cancelled = fakeCall(['a']);
  const late = createMessageReader(cancelled.call);
  await late.first();
  cancelled.call.cancelled = true;
  await expect(late.next()).rejects.toMatchObject({ code: 'request.cancelled' });
});
