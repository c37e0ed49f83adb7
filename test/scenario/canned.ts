/** What a scenario says it has: small tables as the worker streams them, and a planner and a worker that know nothing else. */
import { type DataType, Field, makeData, RecordBatch, RecordBatchStreamWriter, Schema, Struct, Table, vectorFromArray } from 'apache-arrow';
import { fail } from '#src/errors.js';
import type { BatchSource, Principal } from '#src/model.js';
import type { Plan, Planner, Prepared } from '#src/planner/index.js';
import { splitIpcStream } from '#src/wire/index.js';
import type { Worker } from '#src/worker/index.js';

export const ANYONE: Principal = { subject: 'anyone', groups: [], attributes: {} };

/** One column that is never null. */
export function numbers(type: DataType, values: readonly number[]): Table {
  const schema = new Schema([new Field('number', type, false)]);
  const [child] = vectorFromArray([...values], type).data;
  const children = child === undefined ? [] : [child];
  return new Table(schema, [new RecordBatch(schema, makeData({ type: new Struct(schema.fields), length: values.length, children }))]);
}

export function sourceOf(table: Table): BatchSource {
  const { schemaHeader, batches } = splitIpcStream(RecordBatchStreamWriter.writeAll(table).toUint8Array(true));
  const left = [...batches];
  return { schemaHeader, next: async () => left.shift() ?? null, [Symbol.asyncDispose]: async () => {} };
}

const none = (): never => fail('sql.refused', 'this scenario has no such statement');

/** Refuses everything but what is given. */
export function cannedPlanner(known: Partial<Planner>): Planner {
  return {
    plan: async () => none(),
    prepare: async () => none(),
    planPrepared: async () => none(),
    bindParameters: () => none(),
    schemaOf: async () => none(),
    schemaOfPrepared: async () => none(),
    renew: async () => none(),
    visibleCatalog: async () => ({ catalogName: 'catalog', tables: [] }),
    ...known,
  };
}

export function cannedWorker(known: Partial<Worker>): Worker {
  const unknown = (): never => fail('ticket.invalid', 'this scenario has no such ticket');
  return {
    redeem: async () => unknown(),
    execute: async () => unknown(),
    ingest: async () => unknown(),
    cancel: async () => unknown(),
    track: () => unknown(),
    ...known,
  };
}

/** Text where the product has sealed bytes. */
export function cannedPlan(schema: Schema, tickets: readonly string[]): Plan {
  return {
    queryId: 'scenario',
    schema,
    tickets: tickets.map((ticket) => Buffer.from(ticket)),
    ordered: true,
    expiresAtMs: Date.now() + 600_000,
    audit: { queryId: 'scenario', statement: '', epoch: 1, fingerprint: '', decisions: [] },
  };
}

export function cannedPrepared(handle: string, schema: Schema | null): Prepared {
  return { handle: Buffer.from(handle), schema, parameters: new Schema([]), audit: cannedPlan(new Schema([]), []).audit };
}

/** What `redeem` gives for a table. */
export function redeemed(table: Table): Awaited<ReturnType<Worker['redeem']>> {
  const task = { queryId: 'scenario', statement: '', epoch: 1, fingerprint: '' };
  return { task, source: sourceOf(table), ended: new AbortController().signal };
}

export const textOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('utf8');
