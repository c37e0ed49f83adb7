import { expect, test } from 'vitest';
import { createProxy, type ProxyOptions, type TicketProxy } from '#src/flight/proxy.js';
import type { Remote } from '#src/flight/remote.js';
import type { Rpc } from '#src/flight/rpc.js';
import { PLAIN_FORM, type Task } from '#src/model.js';
import { type CancelStatus, encodeTicket } from '#src/wire/index.js';
import type { Worker } from '#src/worker/index.js';
import { createRunningQueries, type RunningQueries } from '#src/worker/running.js';
import { sealer } from './fakes.ts';

const LATER = Date.now() + 3_600_000;
const catalog = { name: 'p_1', defaultSchema: 'demo', statements: [] };
const query: Task = { kind: 'query', catalog, statements: ['SELECT 1'], datasets: ['d1'], form: PLAIN_FORM, schema: new Uint8Array() };
const source = { schemaHeader: new Uint8Array(), next: async () => null, [Symbol.asyncDispose]: async () => {} };

function seal(task: Task, more: { subject?: string; expiresAtMs?: number; cluster?: string } = {}): Uint8Array {
  const common = { queryId: 'q1', taskId: 0, fingerprint: 'f', epoch: 1, datasets: ['d1'], issuedAtMs: 1, statement: 'SELECT 1', task };
  return sealer.seal('ticket', encodeTicket({ cluster: 'west', subject: 'ada', expiresAtMs: LATER, ...common, ...more }));
}

interface Setup {
  readonly proxy: TicketProxy;
  readonly redeem: TicketProxy['redeem'];
  readonly seen: string[];
  /** What each location says to a cancel; null = nothing. */
  readonly answers: Map<string, CancelStatus | null>;
  readonly running: RunningQueries;
}

function setUp(more: Partial<ProxyOptions> = {}): Setup {
  const seen: string[] = [];
  const answers = new Map<string, CancelStatus | null>();
  const running = createRunningQueries(Date.now);
  const remote: Remote = {
    read: async (_sealed, locations, bearer) => {
      seen.push(`${locations.join()} ${bearer}`);
      return source;
    },
    cancel: async (sealed, location, bearer) => {
      seen.push(`cancel ${sealed.length} at ${location} ${bearer}`);
      return answers.get(location) ?? null;
    },
    [Symbol.asyncDispose]: async () => {},
  };
  const worker: Partial<Worker> = {
    redeem: async () => {
      seen.push('here');
      return { task: { queryId: 'q1', statement: '', epoch: 1, fingerprint: 'f' }, source, ended: new AbortController().signal };
    },
    cancel: async () => running.cancel({ queryId: 'q1', expiresAtMs: LATER }),
    track: running.start,
  };
  const proxy = createProxy({
    remote,
    worker: worker as Worker,
    sealer,
    cluster: 'west',
    place: () => ['grpc://w1', 'grpc://w2'],
    live: () => ['grpc://w1', 'grpc://w2'],
    everywhere: () => ['grpc://w1', 'grpc://left'],
    ...more,
  });
  return { proxy, redeem: proxy.redeem, seen, answers, running };
}

const rpc = {
  principal: { subject: 'ada', groups: [], attributes: {} },
  bearer: 'b1',
  signal: new AbortController().signal,
} as Partial<Rpc> as Rpc;

test('a query runs on a worker, for its caller', async () => {
  const { redeem, seen } = setUp();
  const { task } = await redeem(rpc, seal(query));
  expect(task).toEqual({ queryId: 'q1', statement: 'SELECT 1', epoch: 1, fingerprint: 'f' });
  expect(seen).toEqual(['grpc://w1,grpc://w2 b1']);
});

test('what needs no worker is answered here', async () => {
  const { redeem, seen } = setUp();
  await redeem(rpc, seal({ kind: 'inline', ipc: new Uint8Array() }));
  await redeem(rpc, seal({ kind: 'command', command: { kind: 'showTokens' }, query: null }));
  expect(seen).toEqual(['here', 'here']);
});

test.each([
  ['of another principal', { subject: 'eve' }, 'ticket.principal'],
  ['of another cluster', { cluster: 'east' }, 'ticket.invalid'],
  ['that has expired', { expiresAtMs: 1 }, 'ticket.expired'],
])('a ticket %s reaches no worker', async (_, more, code) => {
  const { redeem, seen } = setUp();
  await expect(redeem(rpc, seal(query, more))).rejects.toMatchObject({ code });
  expect(seen).toEqual([]);
});

test('a ticket that was not sealed here is none', async () => {
  await expect(setUp().redeem(rpc, new Uint8Array(40))).rejects.toMatchObject({ code: 'ticket.invalid' });
});

test('the clocks of two nodes may differ by so much', async () => {
  const late = { expiresAtMs: 100_000 };
  const at = (nowMs: number): Promise<unknown> => setUp({ clockSkewMs: 5_000, now: () => nowMs }).redeem(rpc, seal(query, late));
  await expect(at(104_999)).resolves.toBeDefined();
  await expect(at(105_000)).rejects.toMatchObject({ code: 'ticket.expired' });
});

test('streams that pass through are counted, until they end or fail', async () => {
  const { proxy } = setUp();
  const first = await proxy.redeem(rpc, seal(query));
  const second = await proxy.redeem(rpc, seal(query));
  expect(proxy.streams()).toBe(2);
  await first.source[Symbol.asyncDispose]();
  await first.source[Symbol.asyncDispose]();
  expect(proxy.streams()).toBe(1);
  await second.source[Symbol.asyncDispose]();
  const broken = setUp({
    place: () => {
      throw new Error('no list');
    },
  }).proxy;
  await expect(broken.redeem(rpc, seal(query))).rejects.toThrow('no list');
  expect([proxy.streams(), broken.streams()]).toEqual([0, 0]);
});

test('a cancel ends the stream here, asks everybody who may run it, and nothing of the query begins again', async () => {
  const { proxy, seen, answers } = setUp();
  const { ended } = await proxy.redeem(rpc, seal(query));
  answers.set('grpc://w1', 'cancelled').set('grpc://w2', 'notCancellable').set('grpc://left', null);
  expect(await proxy.cancel(rpc, [seal(query)])).toBe('cancelled');
  expect(seen.slice(1).sort()).toEqual(['cancel 1 at grpc://left b1', 'cancel 1 at grpc://w1 b1', 'cancel 1 at grpc://w2 b1']);
  expect(ended.reason).toMatchObject({ code: 'request.cancelled' });
  await expect(proxy.redeem(rpc, seal(query))).rejects.toMatchObject({ code: 'request.cancelled' });
});

test.each<[CancelStatus, CancelStatus | null, CancelStatus | null]>([
  ['notCancellable', 'notCancellable', 'notCancellable'],
  ['cancelled', 'notCancellable', 'cancelled'],
  // A living one that does not answer may go on.
  ['cancelling', 'cancelled', null],
  ['cancelling', 'notCancellable', null],
])('it is %s when they say %s and %s', async (expected, w1, w2) => {
  const { proxy, answers } = setUp();
  answers.set('grpc://w1', w1).set('grpc://w2', w2);
  expect(await proxy.cancel(rpc, [seal(query)])).toBe(expected);
});

test('one ticket stands for all endpoints of a query', async () => {
  const { proxy, seen, answers } = setUp();
  answers.set('grpc://w1', 'cancelled').set('grpc://w2', 'cancelled');
  expect(await proxy.cancel(rpc, [seal(query), seal(query), seal(query)])).toBe('cancelled');
  expect(seen.every((line) => line.startsWith('cancel 1 at'))).toBe(true);
});

test('what runs here alone is cancelled here alone, and a foreign ticket is refused before anybody is asked', async () => {
  const { proxy, seen } = setUp();
  expect(await proxy.cancel(rpc, [seal({ kind: 'command', command: { kind: 'showTokens' }, query: null })])).toBe('cancelled');
  await expect(proxy.cancel(rpc, [seal(query), seal(query, { subject: 'eve' })])).rejects.toMatchObject({ code: 'ticket.principal' });
  expect(seen).toEqual([]);
});
