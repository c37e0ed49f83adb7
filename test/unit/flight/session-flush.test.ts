import { EventEmitter } from 'node:events';
import type { Http2Session } from 'node:http2';
import { expect, test } from 'vitest';
import { releaseAfterFlush, trackSession } from '#src/flight/session-flush.js';

type Acknowledge = (error: Error | null) => void;

/** Only what the flush uses of an HTTP/2 session. */
class FakeSession extends EventEmitter {
  destroyed = false;
  accepts = true;
  readonly pings: Acknowledge[] = [];

  ping(callback: Acknowledge): boolean {
    if (this.accepts) this.pings.push(callback);
    return this.accepts;
  }

  destroy(): void {
    this.destroyed = true;
    this.emit('close');
  }
}

function tracked() {
  const fake = new FakeSession();
  // The two share what the flush touches.
  const session = fake as unknown as Http2Session;
  trackSession(session);
  const released: string[] = [];
  return { fake, released, releaseLater: (name: string) => releaseAfterFlush(session, () => released.push(name)) };
}

test('memory comes back when the client acknowledged a later ping', () => {
  const { fake, released, releaseLater } = tracked();
  releaseLater('a');
  releaseLater('b');
  expect(fake.pings).toHaveLength(1);
  expect(released).toEqual([]);
  fake.pings[0]?.(null);
  // `b` was given back after the first ping went out: it waits for its own.
  expect(released).toEqual(['a']);
  fake.pings[1]?.(null);
  expect(released).toEqual(['a', 'b']);
  expect(fake.pings).toHaveLength(2);
});

test('or when the connection is gone, but not by a failed ping alone', () => {
  const { fake, released, releaseLater } = tracked();
  releaseLater('a');
  fake.destroyed = true;
  fake.pings[0]?.(new Error('cancelled'));
  expect(released).toEqual([]);
  releaseLater('b');
  fake.emit('close');
  expect(released).toEqual(['a', 'b']);
  releaseLater('c');
  expect(released).toEqual(['a', 'b', 'c']);
});

test('a full ping window is tried again', async () => {
  const { fake, released, releaseLater } = tracked();
  fake.accepts = false;
  releaseLater('a');
  fake.accepts = true;
  await expect.poll(() => fake.pings.length).toBe(1);
  fake.pings[0]?.(null);
  expect(released).toEqual(['a']);
});
