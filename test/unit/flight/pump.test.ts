import { beforeEach, describe, expect, test } from 'vitest';
import { SluiceError } from '#src/errors.js';
import type { FrameWriter } from '#src/flight/fast-frames.js';
import { pumpBatches, type Sent } from '#src/flight/pump.js';
import { countingSource, eventually, type Held, type SourceOptions } from './fakes.ts';

let held: Held;
let controller: AbortController;
let sent: Sent | undefined;

beforeEach(() => {
  held = { produced: 0, released: 0, disposed: 0, peak: 0, aborted: 0 };
  controller = new AbortController();
  sent = undefined;
});

/** A connection whose writes wait until `flush`, or break. */
function fakeWriter() {
  const pending: { release: () => void; resolve: () => void; reject: (error: Error) => void }[] = [];
  let automatic = true;
  const writer: FrameWriter & { abandoned: number } = {
    fast: true,
    abandoned: 0,
    write: (_header, _body, release) =>
      new Promise((resolve, reject) => {
        pending.push({ release, resolve, reject });
        if (automatic) flush(1);
      }),
    abandon: () => {
      writer.abandoned++;
      breakOff();
    },
  };
  function flush(count: number): void {
    for (const { release, resolve } of pending.splice(0, count)) {
      release();
      resolve();
    }
  }
  function breakOff(): void {
    for (const { release, reject } of pending.splice(0)) {
      release();
      reject(new Error('broken'));
    }
  }
  return { writer, pending, flush, breakOff, stall: () => (automatic = false) };
}

const run = (options: SourceOptions, writer: FrameWriter) =>
  pumpBatches(countingSource(options, held, controller.signal), writer, controller.signal, (now) => {
    sent = now;
  });

describe('the pump', () => {
  test('sends everything, counts it and gives each batch back once', async () => {
    await run({ batches: 7, rows: 10 }, fakeWriter().writer);
    expect(held).toMatchObject({ produced: 7, released: 7 });
    expect(sent).toMatchObject({ rows: 70 });
    expect(sent?.bytes).toBeGreaterThan(7 * 80);
  });

  test('holds at most three batches of a reader that stalls, and goes on when it reads', async () => {
    const { writer, pending, flush, stall } = fakeWriter();
    stall();
    const running = run({ batches: 50 }, writer);
    await eventually(() => pending.length === 1);
    expect(held.produced).toBe(0);
    flush(1);
    await eventually(() => held.produced === 3);
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(held).toMatchObject({ produced: 3, released: 0 });
    for (let sentBatches = 0; sentBatches < 50; sentBatches++) {
      await eventually(() => pending.length > 0);
      flush(1);
    }
    await running;
    expect(held).toMatchObject({ produced: 50, released: 50, peak: 3 });
  });

  test('an abort while the reader stalls abandons the stream and gives everything back', async () => {
    const { writer, flush, stall } = fakeWriter();
    stall();
    const running = run({ batches: 50 }, writer);
    flush(1);
    await eventually(() => held.produced === 3);
    controller.abort(new Error('cancelled'));
    await expect(running).rejects.toThrow('cancelled');
    expect(writer.abandoned).toBe(1);
    expect(held).toMatchObject({ produced: 3, released: 3 });
  });

  test('an abort while the source hangs ends the pump', async () => {
    const running = run({ batches: 5, hangAt: 2 }, fakeWriter().writer);
    await eventually(() => held.produced === 2);
    controller.abort(new Error('cancelled'));
    await expect(running).rejects.toThrow('cancelled');
    expect(held).toMatchObject({ produced: 2, released: 2 });
  });

  test('a batch that arrives after the abort is given back', async () => {
    let deliver = (): void => {};
    const late = { header: new Uint8Array(1), body: new Uint8Array(1), rows: 1, release: () => void held.released++ };
    const source = {
      schemaHeader: new Uint8Array(1),
      next: () =>
        new Promise<typeof late>((resolve) => {
          deliver = () => resolve(late);
        }),
      [Symbol.asyncDispose]: async () => {},
    };
    const running = pumpBatches(source, fakeWriter().writer, controller.signal, () => {});
    await new Promise((resolve) => setImmediate(resolve));
    controller.abort(new Error('cancelled'));
    await expect(running).rejects.toThrow('cancelled');
    deliver();
    await eventually(() => held.released === 1);
  });

  test("the source's failure comes after what was already produced has left", async () => {
    const { writer, pending, flush, stall } = fakeWriter();
    stall();
    const running = run({ batches: 5, failAt: 2 }, writer);
    let failed = false;
    running.catch(() => {
      failed = true;
    });
    flush(1);
    await eventually(() => pending.length === 2);
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(failed).toBe(false);
    flush(2);
    await expect(running).rejects.toMatchObject({ code: 'sql.runtime' });
    expect(held).toMatchObject({ produced: 2, released: 2 });
    expect(writer.abandoned).toBe(0);
  });

  test('a limit lets what was written leave before the status, if the client reads', async () => {
    const { writer, pending, flush, stall } = fakeWriter();
    stall();
    const running = run({ batches: 50 }, writer);
    flush(1);
    await eventually(() => pending.length === 2);
    controller.abort(new SluiceError('limit.time', 'too long'));
    await new Promise((resolve) => setTimeout(resolve, 30));
    flush(2);
    await expect(running).rejects.toMatchObject({ code: 'limit.time' });
    expect(writer.abandoned).toBe(0);
    expect(held.released).toBe(held.produced);
  });

  test('a limit cuts off a client that does not read', async () => {
    const { writer, pending, flush, stall } = fakeWriter();
    stall();
    const running = run({ batches: 50 }, writer);
    flush(1);
    await eventually(() => pending.length === 2);
    controller.abort(new SluiceError('limit.idle', 'idle'));
    await expect(running).rejects.toMatchObject({ code: 'limit.idle' });
    expect(writer.abandoned).toBe(1);
    expect(held.released).toBe(held.produced);
  });

  test('an abort after the source has failed ends the wait for a reader that stalls', async () => {
    const { writer, pending, flush, stall } = fakeWriter();
    stall();
    const running = run({ batches: 5, failAt: 2 }, writer);
    flush(1);
    await eventually(() => pending.length === 2);
    await new Promise((resolve) => setTimeout(resolve, 30));
    controller.abort(new SluiceError('request.cancelled', 'cancelled'));
    await expect(running).rejects.toMatchObject({ code: 'sql.runtime' });
    expect(writer.abandoned).toBe(1);
    expect(held).toMatchObject({ produced: 2, released: 2 });
  });

  test('a broken stream ends it and gives everything back', async () => {
    const { writer, flush, stall, breakOff } = fakeWriter();
    stall();
    const running = run({ batches: 50 }, writer);
    flush(1);
    await eventually(() => held.produced === 3);
    breakOff();
    await expect(running).rejects.toThrow('broken');
    expect(held).toMatchObject({ produced: 3, released: 3 });
  });
});
