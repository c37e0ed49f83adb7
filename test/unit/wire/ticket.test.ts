import { describe, expect, test } from 'vitest';
import { SluiceError } from '#src/errors.js';
import type { Scan } from '#src/files.js';
import { PLAIN_FORM, type QueryTask } from '#src/model.js';
import { decodePrepared, decodeSession, decodeTicket, encodePrepared, encodeSession, encodeTicket, type Ticket } from '#src/wire/index.js';

const query: Ticket = {
  cluster: 'local',
  queryId: 'q-1',
  taskId: 3,
  subject: 'ada',
  fingerprint: 'f'.repeat(64),
  epoch: 7,
  datasets: ['d1', 'd2'],
  issuedAtMs: 1_795_363_271_000,
  expiresAtMs: 1_795_363_271_855,
  statement: "SELECT 'ü😀'",
  task: {
    kind: 'query',
    catalog: { name: 'p_1', defaultSchema: 'demo', statements: ['a', 'b'] },
    statements: ['SELECT 1', 'SELECT 2'],
    datasets: ['d1'],
    form: { strings: 'view', enums: 'dictionary', compression: 'zstd' },
    schema: Buffer.from('schema'),
  },
};
const scanning = (files: number): Ticket => ({
  ...query,
  task: { ...(query.task as QueryTask), catalog: { name: 'p_1', defaultSchema: 'demo', statements: [], scans: scansOf(files) } },
});
const command: Ticket = {
  ...query,
  task: {
    kind: 'command',
    command: { kind: 'createTable', table: { schema: 'scratch', name: 't' }, ifExists: 'fail' },
    query: query.task.kind === 'query' ? query.task : null,
  },
};
const inline: Ticket = { ...query, datasets: [], task: { kind: 'inline', ipc: Buffer.from([1, 2, 3]) } };

describe('tickets', () => {
  test.each<[string, Ticket]>([
    ['query', query],
    ['repeatable', { ...query, task: { ...query.task, repeatable: true } } as Ticket],
    ['scanning', scanning(3)],
    ['scanning much', scanning(3000)],
    ['scanning nothing', scanning(0)],
    ['small batches', { ...query, task: { ...query.task, form: { ...PLAIN_FORM, batchBytes: 65_536 } } } as Ticket],
    ['inline', inline],
    ['command', command],
    ['command without a query', { ...query, task: { kind: 'command', command: { kind: 'showTokens' }, query: null } }],
  ])('with a %s task come back whole', (_, ticket) => {
    expect(decodeTicket(encodeTicket(ticket))).toEqual(ticket);
  });

  test('cut at any byte give a ticket or ticket.invalid, never another error', () => {
    const bytes = encodeTicket(query);
    for (let length = 0; length < bytes.length; length++)
      expect(codeOf(() => decodeTicket(bytes.subarray(0, length)))).toBeOneOf([null, 'ticket.invalid']);
  });

  test('without a task or catalog are refused', () => {
    expect(codeOf(() => decodeTicket(new Uint8Array(0)))).toBe('ticket.invalid');
    expect(codeOf(() => decodeTicket(Buffer.from([0x52, 0])))).toBe('ticket.invalid');
  });
});

test('prepared handles and session tokens come back whole', () => {
  const prepared = { sql: 'SELECT ?', subject: 'ada', expiresAtMs: 12, parameterTypes: ['DECIMAL(9,2)'], rows: Buffer.from('ipc') };
  const facts = { endsAtMs: 56, origin: 'oidc', facts: '{}' };
  const session = { subject: 'ada', expiresAtMs: 34, credential: Buffer.from('abc'), ...facts };
  expect(decodePrepared(encodePrepared(prepared))).toEqual(prepared);
  expect(decodeSession(encodeSession(session))).toEqual(session);
  expect(codeOf(() => decodeSession(Buffer.from('garbage')))).toBe('ticket.invalid');
});

function scansOf(files: number): readonly Scan[] {
  const stored = Array.from({ length: files }, (_, i) => ({ path: `/data/k=${i}/ü.parquet`, bytes: 2 ** 40, version: `1-2-${i}` }));
  const columns = [
    { name: 'id', type: 'BIGINT' },
    { name: 'k', type: 'STRUCT("a b" INTEGER)' },
  ];
  const scan: Scan = { dataset: 'd1', relation: '"p_1"."__source"."x"', format: 'parquet', hivePartitioning: true, columns, parts: [] };
  const rows = stored.slice(0, 1).map((file) => ({ files: [file], missing: [], rows: [0, 2 ** 40] as const }));
  return [
    { ...scan, parts: [{ files: stored, missing: ['k'], mixed: true }, ...rows] },
    { ...scan, format: 'csv', hivePartitioning: false, parts: [] },
  ];
}

function codeOf(run: () => unknown): string | null {
  try {
    run();
    return null;
  } catch (error) {
    return error instanceof SluiceError ? error.code : String(error);
  }
}
