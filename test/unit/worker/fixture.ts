/** Tickets, policies and engines for the tests of the worker. */
import { Field, Int64, Message, Schema } from 'apache-arrow';
import type { Engine } from '#src/engine/index.js';
import type { Scan } from '#src/files.js';
import { type BatchSource, PLAIN_FORM, type Principal, type QueryTask } from '#src/model.js';
import { createSealer, encodeTicket, type Sealer, type Ticket } from '#src/wire/index.js';
import type { PolicyInForce } from '#src/worker/index.js';

export const ADA: Principal = { subject: 'ada', groups: [], attributes: {} };
export const EVE: Principal = { subject: 'eve', groups: [], attributes: {} };
export const SEALER: Sealer = createSealer([{ id: '1', key: new Uint8Array(32).fill(7) }]);

/** One file of one dataset. */
export const SCAN: Scan = {
  dataset: 'd1',
  relation: '"p"."__files"."d1"',
  format: 'parquet',
  hivePartitioning: false,
  columns: [{ name: 'a', type: 'BIGINT' }],
  parts: [{ files: [{ path: '/f', bytes: 1, version: 'v1' }], missing: [] }],
};

export const QUERY: QueryTask = {
  kind: 'query',
  catalog: { name: 'p_1', defaultSchema: 'demo', statements: [] },
  statements: ['SELECT 1'],
  datasets: ['d1'],
  form: PLAIN_FORM,
  schema: new Uint8Array(),
};

export const TICKET: Ticket = {
  cluster: 'local',
  queryId: 'q1',
  taskId: 0,
  subject: 'ada',
  fingerprint: 'f1 d1',
  epoch: 3,
  datasets: ['d1'],
  issuedAtMs: 0,
  expiresAtMs: 1000,
  statement: 'SELECT 1',
  task: QUERY,
};

export function sealed(change: Partial<Ticket> = {}): Uint8Array {
  return SEALER.seal('ticket', encodeTicket({ ...TICKET, ...change }));
}

/** A policy whose fingerprint is a word and the datasets asked for. */
export function policyInForce(word: string = 'f1', contentHash: string = 'c1'): PolicyInForce {
  return {
    snapshot: { contentHash, connections: [], datasets: [] } as unknown as PolicyInForce['snapshot'],
    rights: {
      fingerprint: (ids: readonly string[]) => [word, ...new Set(ids)].join(' '),
    } as Partial<PolicyInForce['rights']> as PolicyInForce['rights'],
  };
}

export function schemaHeader(names: readonly string[], metadata: ReadonlyMap<string, string> = new Map()): Uint8Array {
  return Message.encode(Message.from(new Schema(names.map((name) => new Field(name, new Int64(), true, new Map(metadata))))));
}

/** A source of one empty batch per number. */
export function fakeSource(rows: readonly number[], header: Uint8Array, onClose: () => void = () => {}): BatchSource {
  const rest = [...rows];
  return {
    schemaHeader: header,
    next: async () => {
      const count = rest.shift();
      return count === undefined ? null : { header: new Uint8Array(), body: new Uint8Array(), rows: count, release: () => {} };
    },
    [Symbol.asyncDispose]: async () => onClose(),
  };
}

/** Rows of every batch until the end. */
export async function rowCounts(source: BatchSource): Promise<number[]> {
  const counts: number[] = [];
  for (let batch = await source.next(); batch !== null; batch = await source.next()) counts.push(batch.rows);
  return counts;
}

export function asEngine(parts: Partial<Engine>): Engine {
  return parts as Engine;
}
