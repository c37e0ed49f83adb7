import { afterEach, expect, test } from 'vitest';
import type { Connection } from '#src/files.js';
import { createLogger } from '#src/log.js';
import { createReadiness, type Readiness, type ReadinessOptions } from '#src/readiness.js';

const PATIENCE = { timeout: 60_000 };
const open: Readiness[] = [];
afterEach(async () => {
  for (const readiness of open.splice(0)) await readiness[Symbol.asyncDispose]();
});

const local = (name: string): Connection => ({ kind: 'local', name, directory: `/${name}` });

/** A node whose connections answer while they are in `up`. */
function node(more: Partial<ReadinessOptions> = {}) {
  const up = new Set(['lake', 'files']);
  const probed: string[] = [];
  const told: boolean[] = [];
  const state = { connections: [local('lake'), local('files')] as readonly Connection[], metadata: null as string | null };
  const readiness = createReadiness({
    metadataFault: () => state.metadata,
    connections: () => state.connections,
    reachable: async ({ name }) => {
      probed.push(name);
      if (!up.has(name)) throw new Error('connection refused by 10.0.0.7');
    },
    intervalMs: 20,
    logger: createLogger('silent'),
    ...more,
  });
  readiness.onChange((ready) => told.push(ready));
  open.push(readiness);
  return { readiness, up, probed, told, state };
}

test('a node that reaches everything is ready', async () => {
  const { readiness, probed, told } = node();
  await expect.poll(() => probed.length, PATIENCE).toBeGreaterThan(6);
  expect(readiness.faults()).toEqual([]);
  expect(told).toEqual([]);
});

test('storage that does not answer makes it unready until it does, and no name or address is told', async () => {
  const { readiness, up, told } = node();
  up.delete('lake');
  await expect.poll(() => readiness.faults(), PATIENCE).toEqual(['the storage of 1 connection does not answer']);
  expect(readiness.unreachable()).toBe(1);
  up.clear();
  await expect.poll(() => readiness.faults(), PATIENCE).toEqual(['the storage of 2 connections do not answer']);
  up.add('lake').add('files');
  await expect.poll(() => told, PATIENCE).toEqual([false, true]);
  expect(readiness.faults()).toEqual([]);
});

test('one failure alone is the network', async () => {
  let failures = 1;
  const seen: number[] = [];
  const { readiness, told } = node({
    reachable: async () => {
      seen.push(failures);
      if (failures-- > 0) throw new Error('once');
    },
    connections: () => [local('lake')],
  });
  await expect.poll(() => seen.length, PATIENCE).toBeGreaterThan(3);
  expect(readiness.faults()).toEqual([]);
  expect(told).toEqual([]);
});

test('storage that never answers counts as one that does not, and is not asked twice at once', async () => {
  let asked = 0;
  const { readiness } = node({
    reachable: () => {
      asked++;
      return new Promise(() => {});
    },
    connections: () => [local('lake')],
    timeoutMs: 30,
  });
  expect(asked).toBe(1);
  await expect.poll(() => readiness.unreachable(), PATIENCE).toBe(1);
  expect(asked).toBeGreaterThan(1);
});

test('a connection that no dataset uses any more is forgotten', async () => {
  const { readiness, up, state } = node();
  up.delete('lake');
  await expect.poll(() => readiness.unreachable(), PATIENCE).toBe(1);
  state.connections = [local('files')];
  await expect.poll(() => readiness.unreachable(), PATIENCE).toBe(0);
});

test('without metadata it is unready, in the words of who knows, also when the list of connections can not be had', async () => {
  const { readiness, told, state } = node({
    connections: () => {
      throw new Error('out of force');
    },
  });
  state.metadata = 'the metadata is old';
  await expect.poll(() => told, PATIENCE).toEqual([false]);
  expect(readiness.faults()).toEqual(['the metadata is old']);
  state.metadata = null;
  await expect.poll(() => told, PATIENCE).toEqual([false, true]);
});

test('shutdown is for good and told at once', () => {
  const { readiness, told } = node();
  expect(readiness.draining()).toBe(false);
  readiness.drain();
  readiness.drain();
  expect([readiness.faults(), readiness.draining(), told]).toEqual([['the server is shutting down'], true, [false]]);
});
