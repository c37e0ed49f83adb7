import { expect, test } from 'vitest';
import { redeemElsewhere } from '#src/flight/proxy.js';
import type { Rpc } from '#src/flight/rpc.js';
import { PLAIN_FORM, type Task } from '#src/model.js';
import { encodeTicket } from '#src/wire/index.js';
import type { Worker } from '#src/worker/index.js';
import { sealer } from './fakes.ts';

const LATER = Date.now() + 60_000;
const catalog = { name: 'p_1', defaultSchema: 'demo', statements: [] };
const query: Task = { kind: 'query', catalog, statements: ['SELECT 1'], datasets: ['d1'], form: PLAIN_FORM, schema: new Uint8Array() };
const source = { schemaHeader: new Uint8Array(), next: async () => null, [Symbol.asyncDispose]: async () => {} };

function seal(task: Task, more: { subject?: string; expiresAtMs?: number; cluster?: string } = {}): Uint8Array {
  const common = { queryId: 'q1', taskId: 0, fingerprint: 'f', epoch: 1, datasets: ['d1'], issuedAtMs: 1, statement: 'SELECT 1', task };
  return sealer.seal('ticket', encodeTicket({ cluster: 'west', subject: 'ada', expiresAtMs: LATER, ...common, ...more }));
}

function proxy(): { redeem: ReturnType<typeof redeemElsewhere>; seen: string[] } {
  const seen: string[] = [];
  const remote = {
    read: async (_sealed: Uint8Array, locations: readonly string[], bearer: string) => {
      seen.push(`${locations.join()} ${bearer}`);
      return source;
    },
    [Symbol.asyncDispose]: async () => {},
  };
  const worker = {
    redeem: async () => {
      seen.push('here');
      return { task: { queryId: 'q1', statement: '', epoch: 1, fingerprint: 'f' }, source, ended: new AbortController().signal };
    },
  };
  const place = (): readonly string[] => ['grpc://w1', 'grpc://w2'];
  return { redeem: redeemElsewhere({ remote, worker: worker as Partial<Worker> as Worker, sealer, cluster: 'west', place }), seen };
}

const rpc = {
  principal: { subject: 'ada', groups: [], attributes: {} },
  bearer: 'b1',
  signal: new AbortController().signal,
} as Partial<Rpc> as Rpc;

test('a query runs on a worker, for its caller', async () => {
  const { redeem, seen } = proxy();
  const { task } = await redeem(rpc, seal(query));
  expect(task).toEqual({ queryId: 'q1', statement: 'SELECT 1', epoch: 1, fingerprint: 'f' });
  expect(seen).toEqual(['grpc://w1,grpc://w2 b1']);
});

test('what needs no worker is answered here', async () => {
  const { redeem, seen } = proxy();
  await redeem(rpc, seal({ kind: 'inline', ipc: new Uint8Array() }));
  await redeem(rpc, seal({ kind: 'command', command: { kind: 'showTokens' }, query: null }));
  expect(seen).toEqual(['here', 'here']);
});

test.each([
  ['of another principal', { subject: 'eve' }, 'ticket.principal'],
  ['of another cluster', { cluster: 'east' }, 'ticket.invalid'],
  ['that has expired', { expiresAtMs: 1 }, 'ticket.expired'],
])('a ticket %s reaches no worker', async (_, more, code) => {
  const { redeem, seen } = proxy();
  await expect(redeem(rpc, seal(query, more))).rejects.toMatchObject({ code });
  expect(seen).toEqual([]);
});

test('a ticket that was not sealed here is none', async () => {
  await expect(proxy().redeem(rpc, new Uint8Array(40))).rejects.toMatchObject({ code: 'ticket.invalid' });
});
