import { tableFromArrays, tableToIPC } from 'apache-arrow';
import { describe, expect, test } from 'vitest';
import type { Engine } from '#src/engine/index.js';
import type { BatchSource, Principal } from '#src/model.js';
import { createSealer, encodeTicket, inlineFingerprint, type Ticket } from '#src/wire/index.js';
import { createWorker } from '#src/worker/index.js';

const ada: Principal = { subject: 'ada', groups: [], attributes: {} };
const sealer = createSealer([{ id: '1', key: new Uint8Array(32).fill(7) }]);
const catalog = { name: 'p_1', defaultSchema: 'demo', statements: [] };
const ticket: Ticket = {
  cluster: 'local',
  queryId: 'q1',
  taskId: 0,
  subject: 'ada',
  fingerprint: 'f1',
  epoch: 3,
  datasets: ['d1'],
  expiresAtMs: 1000,
  statement: 'SELECT 1',
  task: { kind: 'query', catalog, sql: 'SELECT 1', datasets: ['d1'] },
};
const sealed = (change: Partial<Ticket> = {}): Uint8Array => sealer.seal('ticket', encodeTicket({ ...ticket, ...change }));

/** A worker over an engine that answers nothing, with counters of what it holds. */
function fakeWorker({ contentHash = 'c1', fingerprint = 'f1', nowMs = 0, streamsMax = 2, fails = false } = {}) {
  const held = { leases: 0, sources: 0, ran: [] as string[] };
  const engine = {
    run: async (_catalog: unknown, sql: string): Promise<BatchSource> => {
      if (fails) throw new Error('engine failure');
      held.ran.push(sql);
      held.sources++;
      return { schemaHeader: new Uint8Array(), next: async () => null, [Symbol.asyncDispose]: async () => void held.sources-- };
    },
  } as Partial<Engine> as Engine;
  const worker = createWorker({
    cluster: 'local',
    sealer,
    lease: async () => {
      held.leases++;
      return { engine, release: () => void held.leases-- };
    },
    inForce: async () => ({ contentHash, fingerprint }),
    streamsMax,
    now: () => nowMs,
  });
  const redeem = (bytes: Uint8Array, principal: Principal = ada) => worker.redeem(bytes, principal, new AbortController().signal);
  return { held, redeem };
}

describe('a ticket', () => {
  test('runs its own statement and gives everything back once', async () => {
    const { held, redeem } = fakeWorker();
    const { task, source } = await redeem(sealed());
    expect(task).toEqual({ queryId: 'q1', statement: 'SELECT 1', epoch: 3, fingerprint: 'f1' });
    expect(held).toEqual({ leases: 1, sources: 1, ran: ['SELECT 1'] });
    await source[Symbol.asyncDispose]();
    await source[Symbol.asyncDispose]();
    expect(held).toMatchObject({ leases: 0, sources: 0 });
  });

  test.each([
    ['of another cluster', sealed({ cluster: 'other' }), {}, 'ticket.invalid'],
    ['of another principal', sealed({ subject: 'eve' }), {}, 'ticket.principal'],
    ['that has expired', sealed(), { nowMs: 1000 }, 'ticket.expired'],
    ['made under another policy', sealed(), { fingerprint: 'f2' }, 'policy.changed'],
    ['sealed for another purpose', sealer.seal('prepared', encodeTicket(ticket)), {}, 'ticket.invalid'],
    ['that is garbage', new Uint8Array(100), {}, 'ticket.invalid'],
    ['that is empty', new Uint8Array(), {}, 'ticket.invalid'],
  ])('%s is refused before the engine sees it', async (_name, bytes, options, code) => {
    const { held, redeem } = fakeWorker(options);
    await expect(redeem(bytes)).rejects.toMatchObject({ code });
    expect(held).toEqual({ leases: 0, sources: 0, ran: [] });
  });

  test('that holds a finished answer is good for one state of the policy only', async () => {
    const ipc = tableToIPC(tableFromArrays({ x: [1, 2] }), 'stream');
    const inline = sealed({ fingerprint: inlineFingerprint('f1', 'c1'), task: { kind: 'inline', ipc } });
    await expect(fakeWorker({ contentHash: 'c2' }).redeem(inline)).rejects.toMatchObject({ code: 'policy.changed' });
    const { source } = await fakeWorker().redeem(inline);
    expect((await source.next())?.rows).toBe(2);
    expect(await source.next()).toBeNull();
  });

  test('beyond the stream limit is refused, and served again after one ended', async () => {
    const { redeem } = fakeWorker({ streamsMax: 1 });
    const { source } = await redeem(sealed());
    await expect(redeem(sealed())).rejects.toMatchObject({ code: 'limit.busy' });
    await source[Symbol.asyncDispose]();
    await expect(redeem(sealed())).resolves.toBeDefined();
  });

  test('whose engine fails leaves nothing held', async () => {
    const { held, redeem } = fakeWorker({ fails: true, streamsMax: 1 });
    for (let i = 0; i < 3; i++) await expect(redeem(sealed())).rejects.toThrow('engine failure');
    expect(held.leases).toBe(0);
  });
});
