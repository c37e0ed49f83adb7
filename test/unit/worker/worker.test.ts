import { tableFromArrays, tableFromIPC, tableToIPC } from 'apache-arrow';
import { describe, expect, test } from 'vitest';
import type { Principal, Task } from '#src/model.js';
import { encodeTicket, inlineFingerprint } from '#src/wire/index.js';
import {
  type CommandResult,
  createAdmission,
  createQueryLimits,
  createResultCache,
  createResultStore,
  createWorker,
  type PolicyInForce,
} from '#src/worker/index.js';
import { ADA, asEngine, EVE, fakeSource, policyInForce, QUERY, rowCounts, SEALER, schemaHeader, sealed, TICKET } from './fixture.ts';

const header = schemaHeader(['a']);
const drop: Task = { kind: 'command', command: { kind: 'dropTable', table: { schema: 's', name: 't' }, ifExists: true }, query: null };
const dropTicket = sealed({ task: drop, datasets: [], fingerprint: 'f1' });

/** Whose files have versions. */
function withDataset(policy: PolicyInForce): PolicyInForce {
  const datasets = [{ id: 'd1', source: { kind: 'parquet' } }] as unknown as PolicyInForce['snapshot']['datasets'];
  return { ...policy, snapshot: { ...policy.snapshot, datasets } };
}

/** A worker over an engine that answers nothing, with counters of what it holds. */
function fakeWorker({
  contentHash = 'c1',
  fingerprint = 'f1',
  nowMs = 0,
  running = 2,
  fails = false,
  clockSkewMs = 0,
  keeps = false,
} = {}) {
  const held = { leases: 0, sources: 0, ran: [] as string[], commands: 0 };
  const state = { fingerprint, stale: false, verified: 0 };
  const signals: AbortSignal[] = [];
  const engine = asEngine({
    run: async (_catalog, sql, signal) => {
      if (fails) throw new Error('engine failure');
      held.ran.push(sql);
      held.sources++;
      signals.push(signal);
      return fakeSource([], header, () => held.sources--);
    },
  });
  const limits = { running, runningPerPrincipal: running, waiting: 1, waitingPerPrincipal: 1, waitMs: 10_000, streamsPerQuery: 8 };
  const worker = createWorker({
    scans: {
      verify: async () => {
        state.verified++;
        if (state.stale) throw new Error('the files changed');
      },
    },
    ...(keeps ? { results: createResultCache(createResultStore({ memoryMax: 1e6, disk: null }), '') } : {}),
    cluster: 'local',
    sealer: SEALER,
    lease: async () => {
      held.leases++;
      return { engine, release: () => void held.leases-- };
    },
    inForce: async () => withDataset(policyInForce(state.fingerprint, contentHash)),
    admission: createAdmission({ noun: 'queries', ...limits }),
    limits: createQueryLimits({ queryMs: 10_000, idleMs: 10_000, resultBytesMax: 1e9 }),
    runCommand: async (): Promise<CommandResult> => ({ count: ++held.commands }),
    ingest: async ({ principal, request }) => (principal.subject === 'ada' && request.table.name === 't' ? 7 : 0),
    clockSkewMs,
    now: () => nowMs,
  });
  const never = new AbortController().signal;
  const redeem = (bytes: Uint8Array, principal: Principal = ADA) => worker.redeem(bytes, principal, never);
  const execute = (bytes: Uint8Array, principal: Principal = ADA) => worker.execute(bytes, principal, never);
  return { held, state, signals, worker, redeem, execute, never };
}

describe('a ticket', () => {
  test('runs its own statements and gives everything back once', async () => {
    const { held, redeem } = fakeWorker();
    const { task, source } = await redeem(sealed({ task: { ...QUERY, statements: ['SELECT 1', 'SELECT 2'] } }));
    expect(task).toEqual({ queryId: 'q1', statement: 'SELECT 1', epoch: 3, fingerprint: 'f1 d1' });
    expect(await rowCounts(source)).toEqual([]);
    expect(held).toMatchObject({ leases: 1, sources: 1, ran: ['SELECT 1', 'SELECT 2'] });
    await source[Symbol.asyncDispose]();
    await source[Symbol.asyncDispose]();
    expect(held).toMatchObject({ leases: 0, sources: 0 });
  });

  test('is good a little longer, for its maker may have had another clock; a command still runs once', async () => {
    const { held, redeem, execute } = fakeWorker({ nowMs: 1499, clockSkewMs: 500 });
    const { source } = await redeem(sealed());
    await source[Symbol.asyncDispose]();
    await execute(dropTicket);
    await execute(dropTicket);
    expect(held.commands).toBe(1);
  });

  test.each([
    ['of another cluster', sealed({ cluster: 'other' }), {}, 'ticket.invalid'],
    ['of another principal', sealed({ subject: 'eve' }), {}, 'ticket.principal'],
    ['that has expired', sealed(), { nowMs: 1000 }, 'ticket.expired'],
    ['that has expired on every clock', sealed(), { nowMs: 1500, clockSkewMs: 500 }, 'ticket.expired'],
    ['made under another policy', sealed(), { fingerprint: 'f2' }, 'policy.changed'],
    ['sealed for another purpose', SEALER.seal('prepared', encodeTicket(TICKET)), {}, 'ticket.invalid'],
    ['that is garbage', new Uint8Array(100), {}, 'ticket.invalid'],
    ['that is empty', new Uint8Array(), {}, 'ticket.invalid'],
  ])('%s is refused before the engine sees it', async (_name, bytes, options, code) => {
    const { held, redeem, execute, worker } = fakeWorker(options);
    await expect(redeem(bytes)).rejects.toMatchObject({ code });
    if (code !== 'policy.changed') {
      await expect(execute(bytes)).rejects.toMatchObject({ code });
      await expect(worker.cancel(bytes, ADA)).rejects.toMatchObject({ code });
    }
    expect(held).toEqual({ leases: 0, sources: 0, ran: [], commands: 0 });
  });

  test('that holds a finished answer is good for one state of the policy only', async () => {
    const ipc = tableToIPC(tableFromArrays({ x: [1, 2] }), 'stream');
    const inline = sealed({ fingerprint: inlineFingerprint('f1 d1', 'c1'), task: { kind: 'inline', ipc } });
    await expect(fakeWorker({ contentHash: 'c2' }).redeem(inline)).rejects.toMatchObject({ code: 'policy.changed' });
    const { source } = await fakeWorker().redeem(inline);
    expect(await rowCounts(source)).toEqual([2]);
  });

  test('whose engine fails leaves nothing held', async () => {
    const { held, redeem } = fakeWorker({ fails: true, running: 1 });
    for (let i = 0; i < 3; i++) await expect(redeem(sealed())).rejects.toThrow('engine failure');
    expect(held.leases).toBe(0);
  });

  test('that waited for its place meets the policy in force when its turn comes', async () => {
    const { held, state, redeem } = fakeWorker({ running: 1 });
    const { source } = await redeem(sealed());
    const waiting = redeem(sealed({ queryId: 'q2' }));
    state.fingerprint = 'f2';
    await source[Symbol.asyncDispose]();
    await expect(waiting).rejects.toMatchObject({ code: 'policy.changed' });
    expect(held.ran).toHaveLength(1);
  });
});

describe('a result that is kept', () => {
  const scan = { dataset: 'd1', relation: '"p_1"."__source"."d1"', format: 'parquet', hivePartitioning: false, columns: [] } as const;
  const parts = [{ files: [{ path: '/f.parquet', bytes: 1, version: 'v1' }], missing: [] }];
  const task = { ...QUERY, repeatable: true, catalog: { ...QUERY.catalog, scans: [{ ...scan, parts }] } };
  const read = async ({ redeem }: ReturnType<typeof fakeWorker>, change: Parameters<typeof sealed>[0] = {}): Promise<void> => {
    const { source } = await redeem(sealed({ task, ...change }), change.subject === 'eve' ? EVE : ADA);
    await rowCounts(source);
    await source[Symbol.asyncDispose]();
  };

  test('is not computed again, for whoever holds a good ticket', async () => {
    const fake = fakeWorker({ keeps: true });
    await read(fake);
    await read(fake, { queryId: 'q2' });
    await read(fake, { queryId: 'q3', subject: 'eve' });
    expect([fake.held.ran.length, fake.held.leases, fake.held.sources]).toEqual([1, 0, 0]);
  });

  test('is behind every check of the ticket, the policy and the files', async () => {
    const fake = fakeWorker({ keeps: true });
    await read(fake);
    const before = fake.state.verified;
    await read(fake);
    expect(fake.state.verified).toBe(before + 1);
    await expect(fake.redeem(sealed({ task }), EVE)).rejects.toMatchObject({ code: 'ticket.principal' });
    await expect(fake.redeem(sealed({ task, cluster: 'other' }))).rejects.toMatchObject({ code: 'ticket.invalid' });
    fake.state.stale = true;
    await expect(fake.redeem(sealed({ task }))).rejects.toThrow('the files changed');
    fake.state.stale = false;
    fake.state.fingerprint = 'f2';
    await expect(fake.redeem(sealed({ task }))).rejects.toMatchObject({ code: 'policy.changed' });
    expect([fake.held.ran.length, fake.held.leases]).toEqual([1, 0]);
  });
});

describe('cancelling', () => {
  test('interrupts what runs and refuses the ticket from then on', async () => {
    const { worker, signals, redeem } = fakeWorker();
    const { source } = await redeem(sealed());
    expect(await worker.cancel(sealed(), ADA)).toBe(true);
    expect(signals[0]?.reason).toMatchObject({ code: 'request.cancelled' });
    await source[Symbol.asyncDispose]();
    await expect(redeem(sealed())).rejects.toMatchObject({ code: 'request.cancelled' });
    // Asked again, by whoever did not hear the answer.
    expect(await worker.cancel(sealed(), ADA)).toBe(true);
  });

  test('a command that has not begun keeps it from running', async () => {
    const { worker, execute, held } = fakeWorker();
    await worker.cancel(dropTicket, ADA);
    await expect(execute(dropTicket)).rejects.toMatchObject({ code: 'request.cancelled' });
    expect(held.commands).toBe(0);
  });

  test('is for the principal of the ticket only', async () => {
    const { worker, redeem } = fakeWorker();
    await expect(worker.cancel(sealed(), EVE)).rejects.toMatchObject({ code: 'ticket.principal' });
    await expect(redeem(sealed())).resolves.toBeDefined();
  });
});

describe('a command', () => {
  test('runs once, by either way', async () => {
    const { held, execute, redeem } = fakeWorker();
    expect((await execute(dropTicket)).rows).toBe(1);
    expect((await execute(dropTicket)).rows).toBe(1);
    const { source } = await redeem(dropTicket);
    const batch = await source.next();
    expect(batch?.rows).toBe(1);
    expect(held.commands).toBe(1);
  });

  test('answers one row with the number of rows as a stream', async () => {
    const { redeem } = fakeWorker();
    const { source } = await redeem(dropTicket);
    const batch = await source.next();
    const prefix = (bytes: Uint8Array) => Buffer.from(Uint32Array.of(0xffffffff, bytes.length).buffer);
    const parts = [prefix(source.schemaHeader), source.schemaHeader, prefix(batch?.header ?? header), batch?.header, batch?.body];
    expect(
      tableFromIPC(Buffer.concat(parts.map((part) => part ?? new Uint8Array())))
        .toArray()
        .map(String),
    ).toEqual(['{"count": 1}']);
  });

  test('is not what a query is', async () => {
    await expect(fakeWorker().execute(sealed())).rejects.toMatchObject({ code: 'request.malformed' });
  });

  test('made under another policy does not run', async () => {
    const { held, execute } = fakeWorker({ fingerprint: 'f2' });
    await expect(execute(dropTicket)).rejects.toMatchObject({ code: 'policy.changed' });
    expect(held.commands).toBe(0);
  });
});

test('rows of a client are stored for it, in its place', async () => {
  const { worker, never } = fakeWorker({ running: 1 });
  const request = { table: { schema: 's', name: 't' }, ifExists: 'fail', ifMissing: 'create' } as const;
  const none = (async function* () {})();
  expect(await worker.ingest(request, ADA, none, never)).toBe(7);
  expect(await worker.ingest(request, EVE, none, never)).toBe(0);
});
