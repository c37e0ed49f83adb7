/** What CREATE TABLE, INSERT and DROP TABLE do in the scratch schema; statements about tokens go to their own runner. */
import type { ScratchDraft, ScratchTable } from '../catalog/index.ts';
import type { ColumnInfo, Engine, StoredColumn } from '../engine/index.ts';
import { fail } from '../errors.ts';
import type { Command, Principal, QueryTask } from '../model.ts';
import { foldName } from '../names.ts';
import { makeScans, type ScanPorts, verified } from './scans.ts';
import { NO_VIEWS, parquetRelation, requireOwn, requireReadable, type ScratchPorts, scratchFor, writeTable } from './scratch-writer.ts';
import { runStewardCommand, type StewardPorts } from './steward-commands.ts';
import type { CommandCall, CommandResult, CommandRunner } from './types.ts';

export type TokenCommand = Extract<Command, { kind: 'createToken' | 'dropToken' | 'showTokens' }>;

export interface CommandPorts extends ScratchPorts {
  readonly scans: ScanPorts;
  readonly steward: StewardPorts;
  readonly runTokenCommand: (command: TokenCommand, principal: Principal) => Promise<CommandResult>;
}

/** Statements whose rows go into one file: their text is one statement for the engine. */
const STATEMENTS_PER_PART = 64;
/** More files than this make reading slow: they become one. */
const PARTS_MAX = 64;

export function createCommandRunner(ports: CommandPorts): CommandRunner {
  return (call) => {
    const { command } = call;
    switch (command.kind) {
      case 'createTable':
        return createTable(command, call, ports);
      case 'insert':
        return insert(command, call, ports);
      case 'dropTable':
        return dropTable(command, call, ports);
      case 'none':
        return Promise.resolve({ count: 0 });
      case 'createToken':
      case 'dropToken':
      case 'showTokens':
        return ports.runTokenCommand(command, call.principal);
      default:
        return runStewardCommand(command, call, ports.steward);
    }
  };
}

async function createTable(
  command: Extract<Command, { kind: 'createTable' }>,
  call: CommandCall,
  ports: CommandPorts,
): Promise<CommandResult> {
  const { table, ifExists } = command;
  const exists = scratchFor(table, call.policy, ports.scratch).find(call.principal.subject, table.name) !== null;
  if (exists && ifExists === 'keep') return { count: 0 };
  if (exists && ifExists === 'fail') fail('dataset.exists', `you already have a table ${table.name}; drop or replace it`);
  const { rows } = await withEngine(call, ports, (engine) =>
    writeTable({ ...call, table, sources: requireQuery(call).datasets }, ports, async (draft, signal) => {
      const written = await writeQuery(engine, { ...call, signal }, null, draft, ports);
      return { ...written, mode: ifExists === 'replace' ? 'replace' : 'create' };
    }),
  );
  return { count: rows };
}

async function insert(command: Extract<Command, { kind: 'insert' }>, call: CommandCall, ports: CommandPorts): Promise<CommandResult> {
  const { table } = command;
  const target = requireOwn(table, call.principal, scratchFor(table, call.policy, ports.scratch));
  requireReadable(target, call.policy);
  return withEngine(call, ports, async (engine) => {
    let count = 0;
    const made = await writeTable({ ...call, table, sources: requireQuery(call).datasets }, ports, async (draft, signal) => {
      const written = await writeQuery(engine, { ...call, signal }, fillColumns(target.columns, command.columns), draft, ports);
      count = written.rows;
      return { ...written, mode: 'append' };
    });
    if (made.parts.length > PARTS_MAX) await gatherParts(made, engine, call, ports);
    return { count };
  });
}

async function dropTable(
  { table, ifExists }: Extract<Command, { kind: 'dropTable' }>,
  { principal, policy }: CommandCall,
  ports: CommandPorts,
): Promise<CommandResult> {
  const scratch = scratchFor(table, policy, ports.scratch);
  if (!ifExists) requireOwn(table, principal, scratch);
  await scratch.drop(principal.subject, table.name);
  await ports.settled();
  return { count: 0 };
}

function requireQuery({ query }: CommandCall): QueryTask {
  return query ?? fail('ticket.invalid', 'the ticket holds no query for this command');
}

async function withEngine<T>({ policy }: CommandCall, { lease }: CommandPorts, work: (engine: Engine) => Promise<T>): Promise<T> {
  const { engine, release } = await lease(policy.snapshot.connections);
  try {
    return await work(engine);
  } finally {
    release();
  }
}

interface Written {
  readonly rows: number;
  readonly columns: readonly ColumnInfo[];
}

/** The rows of all statements, from files that were the same before and after. */
async function writeQuery(
  engine: Engine,
  call: CommandCall,
  columns: readonly StoredColumn[] | null,
  draft: ScratchDraft,
  ports: CommandPorts,
): Promise<Written> {
  const query = requireQuery(call);
  const made = await makeScans(query.catalog, engine, call.policy.snapshot.connections, ports.scans);
  try {
    await made.unchanged;
    const task = { ...query, catalog: made.catalog, statements: query.statements.map(made.statement) };
    const written = await verified(made.verify, () => writeParts(engine, task, columns, draft, call.signal));
    await made.verify();
    return written;
  } finally {
    made.release();
  }
}

/** The columns are what the files say, since some types change on the way. */
async function writeParts(
  engine: Engine,
  { catalog, statements }: QueryTask,
  columns: readonly StoredColumn[] | null,
  draft: ScratchDraft,
  signal: AbortSignal,
): Promise<Written> {
  let rows = 0;
  let target = columns;
  let found: readonly ColumnInfo[] = [];
  for (let from = 0; from < statements.length; from += STATEMENTS_PER_PART) {
    const path = draft.nextPart();
    rows += (
      await engine.copyTo(catalog, { statements: statements.slice(from, from + STATEMENTS_PER_PART), columns: target, path }, signal)
    ).rows;
    if (from > 0) continue;
    found = await engine.columns(parquetRelation(path));
    target ??= found.map(({ name, type }, i) => ({ name, type, from: i }));
  }
  return { rows, columns: found };
}

/** Each column of the table from the query's column in its place, or NULL. Fails with sql.binding. */
function fillColumns(columns: readonly ColumnInfo[], named: readonly string[]): readonly StoredColumn[] {
  if (named.length === 0) return columns.map(({ name, type }, from) => ({ name, type, from }));
  const places = new Map(named.map((name, from) => [foldName(name), from]));
  if (places.size < named.length) fail('sql.binding', 'a column is named twice');
  const known = new Set(columns.map(({ name }) => foldName(name)));
  const unknown = named.find((name) => !known.has(foldName(name)));
  if (unknown !== undefined) fail('sql.binding', `the table has no column ${JSON.stringify(unknown)}`);
  return columns.map(({ name, type }) => ({ name, type, from: places.get(foldName(name)) ?? null }));
}

/** Rows, columns and lineage stay; a write that comes between, or no room, leaves the parts as they are. */
async function gatherParts(
  table: ScratchTable,
  engine: Engine,
  { principal, signal }: CommandCall,
  { scratch, settled }: CommandPorts,
): Promise<void> {
  if (scratch === null) return;
  const draft = await scratch.draft(principal.subject);
  try {
    const statements = [`SELECT * FROM ${parquetRelation(scratch.pathOf(table))}`];
    const { rows } = await engine.copyTo(NO_VIEWS, { statements, columns: null, path: draft.nextPart() }, signal);
    const { name, columns, lineage } = table;
    await draft.commit({ name, mode: 'replace', base: table, columns, lineage, rows });
    await settled();
  } catch {
    // The rows are stored all the same.
  } finally {
    await draft.discard();
  }
}
