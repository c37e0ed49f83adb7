import { tableFromIPC } from 'apache-arrow';
import { expect, test } from 'vitest';
import type { Dataset, StewardCommand } from '#src/model.js';
import { commandSchema } from '#src/wire/index.js';
import { commandIpc } from '#src/worker/command-result.js';
import type { PolicyInForce } from '#src/worker/index.js';
import { runStewardCommand, type StewardPorts } from '#src/worker/steward-commands.js';
import type { CommandCall } from '#src/worker/types.js';
import { ADA } from './fixture.ts';

const table = { schema: 'demo', name: 'PEOPLE' };
const PEOPLE: Dataset = { id: 'd1', schema: 'demo', name: 'people', tags: [], columns: [], source: { kind: 'view', sql: '' } };

function call(command: StewardCommand, may: readonly string[] = ['operate']): CommandCall {
  const policy = {
    snapshot: { datasets: [PEOPLE] },
    rights: { may: (action: string) => may.includes(action) },
  } as unknown as PolicyInForce;
  return { command, query: null, principal: ADA, policy, signal: new AbortController().signal };
}

function fakePorts(): StewardPorts & { readonly calls: unknown[] } {
  const calls: unknown[] = [];
  const report = { dataset: PEOPLE, files: 3, added: 2, changed: 1, removed: 0, bytes: 2 ** 40, rows: null, note: 'look' };
  return {
    calls,
    register: async ({ path }, { subject }) => {
      calls.push(['register', path, subject]);
      return report;
    },
    refresh: async ({ id }) => {
      calls.push(['refresh', id]);
      return { ...report, rows: 7 };
    },
    pin: async ({ id }, pinned) => void calls.push(['pin', id, pinned]),
    workers: async () => [
      { location: 'grpc://a:1', cluster: 'main', zone: 'z', version: '1', capacity: 4, running: 1, heartbeatAtMs: 5, alive: true },
      { location: 'grpc://b:1', cluster: 'main', zone: '', version: '1', capacity: 4, running: 0, heartbeatAtMs: null, alive: false },
    ],
    cache: async () => [
      { worker: '', kind: 'table', object: 'demo.people', bytes: 10, rows: null, hits: 2, lastUsedAtMs: null, pinned: true },
    ],
  };
}

async function answer(command: StewardCommand, ports: StewardPorts): Promise<readonly unknown[]> {
  const result = await runStewardCommand(command, call(command), ports);
  const answered = tableFromIPC(commandIpc(command, result));
  expect(String(answered.schema)).toBe(String(commandSchema(command)));
  return answered.toArray().map((row) => row.toJSON());
}

test('a report has the counts and what to know', async () => {
  const ports = fakePorts();
  const counts = { dataset: 'demo.people', files: 3n, added: 2n, changed: 1n, removed: 0n, bytes: 2n ** 40n, note: 'look' };
  const register: StewardCommand = {
    kind: 'registerDataset',
    table,
    connection: 'c',
    path: 'p',
    format: 'parquet',
    hivePartitioning: true,
  };
  expect(await answer(register, ports)).toEqual([{ ...counts, rows: null }]);
  expect(await answer({ kind: 'refreshDataset', table }, ports)).toEqual([{ ...counts, rows: 7n }]);
  expect(ports.calls).toEqual([
    ['register', 'p', ADA.subject],
    ['refresh', 'd1'],
  ]);
});

test('pinning is for datasets of the catalog', async () => {
  const ports = fakePorts();
  for (const kind of ['pin', 'unpin'] as const) expect(await answer({ kind, table }, ports)).toEqual([{ count: 0n }]);
  expect(ports.calls).toEqual([
    ['pin', 'd1', true],
    ['pin', 'd1', false],
  ]);
  const unknown: StewardCommand = { kind: 'pin', table: { schema: 'demo', name: 'gone' } };
  await expect(runStewardCommand(unknown, call(unknown), ports)).rejects.toMatchObject({ code: 'dataset.unknown' });
});

test('workers and cache are rows', async () => {
  const ports = fakePorts();
  expect(await answer({ kind: 'showWorkers' }, ports)).toMatchObject([
    { location: 'grpc://a:1', capacity: 4n, running: 1n, heartbeat_at: expect.anything(), alive: true },
    { location: 'grpc://b:1', heartbeat_at: null, alive: false },
  ]);
  expect(await answer({ kind: 'showCache' }, ports)).toMatchObject([{ object: 'demo.people', rows: null, hits: 2n, pinned: true }]);
});

test('the right counts when it runs, whatever it was when it was planned', async () => {
  const ports = fakePorts();
  const commands: readonly StewardCommand[] = [
    { kind: 'refreshDataset', table },
    { kind: 'pin', table },
    { kind: 'unpin', table },
    { kind: 'showWorkers' },
    { kind: 'showCache' },
  ];
  for (const command of commands)
    await expect(runStewardCommand(command, call(command, []), ports)).rejects.toMatchObject({ code: 'policy.denied' });
  expect(ports.calls).toEqual([]);
});
