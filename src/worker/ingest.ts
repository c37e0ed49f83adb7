/** Rows that a client sends become a table of its own: through WebAssembly to Parquet, and from there as a query's result would. */
import { rm, writeFile } from 'node:fs/promises';
import type { ScratchDraft, ScratchTable } from '../catalog/index.ts';
import type { ColumnInfo, Engine, StoredColumn } from '../engine/index.ts';
import { fail } from '../errors.ts';
import type { TableName } from '../model.ts';
import { foldName } from '../names.ts';
import { createAdmission } from './admission.ts';
import { chunks } from './ipc-messages.ts';
import { type Converted, createIpcConverter, type IpcConverter } from './ipc-parquet.ts';
import type { IpcColumn } from './ipc-thread.ts';
import { checkColumns, NO_VIEWS, parquetRelation, requireReadable, type ScratchPorts, scratchFor, writeTable } from './scratch-writer.ts';
import type { Ingest, IngestCall, IngestRequest } from './types.ts';

const MIB = 1024 ** 2;
/** A batch is at most one request message more. */
const CHUNK = { bytes: 16 * MIB, batches: 4096, prefixBytes: 16 * MIB };
const CHUNK_MS = 60_000;
/** Each has a thread with memory of its own. */
const AT_ONCE = { running: 4, runningPerPrincipal: 2, waiting: 64, waitingPerPrincipal: 16, waitMs: 60_000, streamsPerQuery: 1 };

export function createIngest(ports: ScratchPorts): Ingest {
  const places = createAdmission({ noun: 'uploads', ...AT_ONCE });
  return async (call) => {
    const { principal, policy, signal } = call;
    const table = named(call);
    const existing = scratchFor(table, policy, ports.scratch).find(principal.subject, table.name);
    const mode = modeOf(call.request, existing);
    if (existing !== null && mode === 'append') requireReadable(existing, policy);
    const permit = await places.admit({ principal: principal.subject, queryId: crypto.randomUUID() }, signal);
    const { engine, release } = await ports.lease(policy.snapshot.connections).catch((error: unknown) => {
      permit.release();
      throw error;
    });
    const converter = createIpcConverter(CHUNK_MS);
    try {
      let rows = 0;
      await writeTable({ table, principal, policy, sources: [], signal }, ports, async (draft, ended) => {
        const written = await writeChunks({ ...call, signal: ended }, engine, converter, draft, mode === 'append' ? existing : null);
        rows = written.rows;
        return { ...written, mode };
      });
      return rows;
    } finally {
      release();
      permit.release();
      await converter[Symbol.asyncDispose]();
    }
  };
}

/** A name without a schema can only mean the one where tables can be made. */
function named({ request: { table }, policy: { snapshot } }: IngestCall): TableName {
  return table.schema === '' ? { schema: snapshot.scratchSchema ?? '', name: table.name } : table;
}

function modeOf({ table, ifExists, ifMissing }: IngestRequest, existing: ScratchTable | null): 'create' | 'replace' | 'append' {
  if (existing === null) {
    if (ifMissing === 'fail') fail('dataset.unknown', `the table ${JSON.stringify(table.name)} does not exist or is not yours`);
    // Somebody else may make it meanwhile: who wants to replace it still does.
    return ifExists === 'replace' ? 'replace' : 'create';
  }
  if (ifExists === 'fail') fail('dataset.exists', `you already have a table ${existing.name}; append to it or replace it`);
  return ifExists;
}

async function writeChunks(
  { messages, signal }: IngestCall,
  engine: Engine,
  converter: IpcConverter,
  draft: ScratchDraft,
  target: ScratchTable | null,
): Promise<{ readonly rows: number; readonly columns: readonly ColumnInfo[] }> {
  let rows = 0;
  let columns: readonly ColumnInfo[] | null = target?.columns ?? null;
  for await (const stream of chunks(messages, CHUNK)) {
    const converted = await converter.convert(stream, signal);
    if (target !== null) checkNames(converted.columns, target.columns);
    const path = await writePart(converted, columns, engine, draft, signal);
    columns ??= await engine.columns(parquetRelation(path));
    rows += converted.rows;
  }
  return { rows, columns: columns ?? [] };
}

/** What WebAssembly wrote is read once, here, and does not stay. */
async function writePart(
  { bytes, columns: sent }: Converted,
  columns: readonly ColumnInfo[] | null,
  engine: Engine,
  draft: ScratchDraft,
  signal: AbortSignal,
): Promise<string> {
  const path = draft.nextPart();
  const incoming = `${path.slice(0, -'.parquet'.length)}-incoming.parquet`;
  await writeFile(incoming, bytes, { flag: 'wx', mode: 0o600 });
  try {
    const names = sent.map((_, i) => `"c${i}"`).join(', ');
    const statement = `SELECT ${sent.map(({ reading }, i) => READINGS[reading](`"c${i}"`)).join(', ')} FROM ${parquetRelation(incoming)} AS "f"(${names})`;
    const target = columns ?? (await sentColumns(sent, statement, engine));
    const stored: readonly StoredColumn[] = target.map(({ name, type }, from) => ({ name, type, from }));
    await engine.copyTo(NO_VIEWS, { statements: [statement], columns: stored, path }, signal);
    return path;
  } finally {
    await rm(incoming, { force: true });
  }
}

const READINGS: Readonly<Record<IpcColumn['reading'], (column: string) => string>> = {
  same: (column) => column,
  seconds: (column) => `make_timestamp(${column} * 1000000)`,
  'time of seconds': (column) => `CAST(make_timestamp(CAST(${column} AS BIGINT) * 1000000) AS TIME)`,
  'date of milliseconds': (column) => `CAST(make_timestamp(${column} * 1000) AS DATE)`,
};

/** The client's names over the types that the engine finds in the file. */
async function sentColumns(sent: readonly IpcColumn[], statement: string, engine: Engine): Promise<readonly ColumnInfo[]> {
  if (sent.length === 0) fail('request.malformed', 'the rows have no columns');
  const found = await engine.columns(`(${statement})`);
  const columns = found.map(({ type }, i) => ({ name: sent[i]?.name ?? '', type }));
  checkColumns(columns);
  return columns;
}

/** In order; types are cast. Fails with sql.binding. */
function checkNames(sent: readonly IpcColumn[], columns: readonly ColumnInfo[]): void {
  const same = sent.length === columns.length && sent.every(({ name }, i) => foldName(name) === foldName(columns[i]?.name ?? ''));
  if (!same)
    fail(
      'sql.binding',
      `the table has the columns ${columns.map(({ name }) => name).join(', ')}; send rows with these columns in this order`,
    );
}
