/** Writing to a principal's own table: who may, how much room there is, and when what was written counts. */

import type { ScratchCommit, ScratchDraft, ScratchStore, ScratchTable } from '../catalog/index.ts';
import type { ColumnInfo } from '../engine/index.ts';
import { fail } from '../errors.ts';
import type { Connection } from '../files.ts';
import type { Lineage, PlanCatalog, Principal, Source, TableName } from '../model.ts';
import { foldName } from '../names.ts';
import { sourceRelation } from '../sql/index.ts';
import type { EngineLease, PolicyInForce } from './types.ts';

export interface ScratchPorts {
  /** null: this server keeps none. */
  readonly scratch: ScratchStore | null;
  readonly lease: (connections: readonly Connection[]) => Promise<EngineLease>;
  readonly inForce: (principal: Principal) => Promise<PolicyInForce>;
  /** Resolves when what was committed before is in force on this node. */
  readonly settled: () => Promise<void>;
}

export interface WriteRequest {
  readonly table: TableName;
  readonly principal: Principal;
  /** What the request was checked against; a change until the end undoes the write. */
  readonly policy: PolicyInForce;
  /** Governed datasets that the rows come from, and tables of one's own. */
  readonly sources: readonly string[];
  readonly signal: AbortSignal;
}

/** Fills a draft. `signal` also fires when the room is used up. */
export type Fill = (
  draft: ScratchDraft,
  signal: AbortSignal,
) => Promise<Pick<ScratchCommit, 'mode' | 'columns' | 'rows'> & Partial<ScratchCommit>>;

const LOOK_MS = 200;
/** For Sluice's own statements over files. */
export const NO_VIEWS: PlanCatalog = { name: 'p_scratch', defaultSchema: 'main', statements: [] };

/** The store, for a table in the scratch schema. Every other name looks alike, governed, hidden or missing. */
export function scratchFor({ schema, name }: TableName, { snapshot }: PolicyInForce, scratch: ScratchStore | null): ScratchStore {
  if (scratch === null || snapshot.scratchSchema === null)
    fail('request.unimplemented', 'this server has no scratch schema, in which one could make tables');
  if (foldName(schema) !== foldName(snapshot.scratchSchema))
    fail(
      'policy.denied',
      `tables can be made and changed in the schema ${snapshot.scratchSchema} only, not ${JSON.stringify(`${schema}.${name}`)}`,
    );
  return scratch;
}

/** Rejects with policy.denied. */
export function requireCreate(table: TableName, { rights }: PolicyInForce): void {
  if (!rights.mayCreate(table))
    fail('policy.denied', `you may not make a table ${table.schema}.${table.name}; ask for the create right on it`);
}

/** One's own table, or the error that looks alike for all others. */
export function requireOwn(table: TableName, principal: Principal, scratch: ScratchStore): ScratchTable {
  const own = scratch.find(principal.subject, table.name);
  return (
    own ?? fail('dataset.unknown', `the table ${JSON.stringify(table.schema)}.${JSON.stringify(table.name)} does not exist or is not yours`)
  );
}

/** What one may not read any more one does not add to: the new rows could not be read either. Rejects with policy.denied. */
export function requireReadable(table: ScratchTable, { snapshot, rights }: PolicyInForce): void {
  const dataset = snapshot.datasets.find(({ id }) => id.endsWith(`:${table.id}`));
  const decision = dataset === undefined ? null : rights.decide(dataset);
  if (decision?.effect === 'deny') fail('policy.denied', `${table.name}: ${decision.reason}`);
}

/** Writes, checks that the policy is still the same, commits, and returns when the table can be read. Leaves nothing on failure. */
export async function writeTable(request: WriteRequest, ports: ScratchPorts, fill: Fill): Promise<ScratchTable> {
  const { table, principal, policy, sources } = request;
  const scratch = scratchFor(table, policy, ports.scratch);
  requireCreate(table, policy);
  const lineage = policy.rights.lineage(sources);
  const draft = await scratch.draft(principal.subject);
  try {
    const filled = await withinRoom(draft, request.signal, (signal) => fill(draft, signal));
    checkColumns(filled.columns);
    await confirm(request, lineage, ports);
    request.signal.throwIfAborted();
    const made = await draft.commit({ name: table.name, lineage, ...filled });
    await ports.settled();
    return made;
  } finally {
    await draft.discard();
  }
}

/** Ends the work when its files outgrow what the owner may store. */
async function withinRoom<T>(draft: ScratchDraft, signal: AbortSignal, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const full = new AbortController();
  const look = async (): Promise<void> => {
    await draft.checkRoom().catch((error: unknown) => full.abort(error));
  };
  const timer = setInterval(() => void look(), LOOK_MS);
  try {
    const result = await work(AbortSignal.any([signal, full.signal]));
    await look();
    full.signal.throwIfAborted();
    return result;
  } catch (error) {
    throw full.signal.aborted ? full.signal.reason : error;
  } finally {
    clearInterval(timer);
  }
}

async function confirm({ table, principal }: WriteRequest, lineage: readonly Lineage[], ports: ScratchPorts): Promise<void> {
  const { rights, snapshot } = await ports.inForce(principal);
  const known = new Set(snapshot.datasets.map(({ id }) => id));
  const now = rights.lineage(lineage.map(({ dataset }) => dataset).filter((id) => known.has(id)));
  const before = new Set(lineage.map(({ dataset, decision }) => `${decision} ${dataset}`));
  const same = now.length === before.size && now.every(({ dataset, decision }) => before.has(`${decision} ${dataset}`));
  if (!same || !rights.mayCreate(table)) fail('policy.changed', 'the policy changed while the table was written; run the statement again');
}

/** With members without names, as unions have in Parquet: no statement can write such a type down again. */
function isUnreadable(type: string): boolean {
  const quoted: readonly string[] = type.match(/"(?:[^"]|"")*"/g) ?? [];
  return quoted.includes('""') || /[\p{Cc}\p{Cs}]/u.test(type) || /\bUNION\(|\bSTRUCT\((?:"(?:[^"]|"")*"|\w+)[,()]/.test(type);
}

/** Column names become part of later statements and of metadata. */
export function checkColumns(columns: readonly ColumnInfo[]): void {
  const names = new Set(columns.map(({ name }) => foldName(name)));
  if (columns.length === 0) fail('sql.binding', 'a table needs a column');
  if (names.size < columns.length) fail('sql.binding', 'two columns of the table would have the same name; give them different aliases');
  if (columns.some(({ name }) => name === '' || /[\p{Cc}\p{Cs}]/u.test(name)))
    fail('sql.binding', 'a column name is empty or holds control characters; give the column another alias');
  const odd = columns.find(({ type }) => isUnreadable(type));
  if (odd !== undefined)
    fail('sql.type', `the column ${JSON.stringify(odd.name)} is a union or has members without a readable name: store its members instead`);
}

/** Trusted relation text over the Parquet file or files at a path. */
export function parquetRelation(path: string): string {
  const source: Source = { kind: 'parquet', connection: 'scratch', path, hivePartitioning: false };
  return sourceRelation({ id: '', schema: '', name: '', tags: [], columns: [], source });
}
