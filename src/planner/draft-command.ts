/** Statements that change something or ask the server about itself → a task; planning one has no effect. */
import { fail } from '../errors.ts';
import type { Command, Dataset, QueryTask, TableName } from '../model.ts';
import { foldName } from '../names.ts';
import { requireSteward, stewardDataset } from '../policy/index.ts';
import type { PlanEntry } from '../sql/index.ts';
import { commandHasRows, commandSchema } from '../wire/index.ts';
import { auditOf, type Draft, type DraftOptions, type DraftRequest, type Query } from './draft.ts';
import { planQuery } from './draft-query.ts';
import { isSystem } from './information-schema.ts';

/** `query`: the rows that a table is made of. Rejects with policy.denied, dataset.unknown and as a query. */
export async function draftCommand(request: DraftRequest, command: Command, query: Query | null, options: DraftOptions): Promise<Draft> {
  const allowed = allow(command, request);
  if (query !== null && query.texts.length > 1 && command.kind !== 'insert')
    fail('sql.parameter', 'this statement runs once: bind one row of parameters');
  const plan = query === null ? null : await planQuery(request, query, options);
  // What one may see of the catalog has no decision that could travel with a copy of it.
  if (plan?.entries.some(({ dataset }) => isSystem(dataset)) === true)
    fail('sql.refused', 'what information_schema tells can not be stored in a table');
  if (plan !== null) checkColumns(allowed, plan.schema.fields.length, request);
  return draftOf(request, allowed, plan?.task ?? null, plan?.entries ?? []);
}

function draftOf(request: DraftRequest, command: Command, query: QueryTask | null, entries: readonly PlanEntry[]): Draft {
  const { policy, rights, statement } = request;
  return {
    schema: commandHasRows(command) ? commandSchema(command) : null,
    task: { kind: 'command', command, query },
    audit: auditOf(statement, policy.snapshot, rights.fingerprint(query?.datasets ?? []), entries),
  };
}

/** The command with the table's name as it is registered. Everyone may manage their own tokens. */
function allow(command: Command, request: DraftRequest): Command {
  switch (command.kind) {
    case 'createTable':
      return { ...command, table: newTable(command.table, request) };
    case 'insert':
      return { ...command, table: nameOf(requireOwn(command.table, request)) };
    case 'dropTable':
      return command.ifExists && inScratch(command.table, request)
        ? command
        : { ...command, table: nameOf(requireOwn(command.table, request)) };
    case 'refreshDataset':
    case 'pin':
    case 'unpin':
      requireSteward(command, request.rights);
      return { ...command, table: nameOf(stewardDataset(command.table, request.policy.snapshot)) };
    case 'registerDataset':
    case 'showWorkers':
    case 'showCache':
      requireSteward(command, request.rights);
      return command;
    default:
      return command;
  }
}

function inScratch({ schema }: TableName, { policy: { snapshot } }: DraftRequest): boolean {
  return snapshot.scratchSchema !== null && foldName(schema) === foldName(snapshot.scratchSchema);
}

/** One answer for governed, hidden and missing schemas and for names that no grant covers. */
function newTable(table: TableName, request: DraftRequest): TableName {
  const { scratchSchema } = request.policy.snapshot;
  const named = { schema: scratchSchema ?? table.schema, name: table.name };
  if (!inScratch(table, request) || !request.rights.mayCreate(named))
    fail(
      'policy.denied',
      `you may not create the table ${JSON.stringify(table.schema)}.${JSON.stringify(table.name)}; ask for the create right in the scratch schema`,
    );
  return named;
}

/** A table of one's own; every other name looks as if it did not exist. */
function requireOwn(table: TableName, request: DraftRequest): Dataset {
  return (
    ownTable(table, request) ??
    fail(
      'dataset.unknown',
      `there is no table ${JSON.stringify(table.schema)}.${JSON.stringify(table.name)} of yours in the scratch schema`,
    )
  );
}

export function ownTable(
  table: TableName,
  { policy: { snapshot }, principal }: Pick<DraftRequest, 'policy' | 'principal'>,
): Dataset | null {
  const found = snapshot.datasets.find(
    ({ owner, schema, name }) =>
      owner?.subject === principal.subject && foldName(schema) === foldName(table.schema) && foldName(name) === foldName(table.name),
  );
  return found ?? null;
}

function nameOf({ schema, name }: Dataset): TableName {
  return { schema, name };
}

/** Columns of the target that an INSERT fills, in the order of its values. Throws sql.binding. */
export function targetColumns(command: Extract<Command, { kind: 'insert' }>, target: Dataset): readonly Dataset['columns'][number][] {
  if (command.columns.length === 0) return target.columns;
  return command.columns.map(
    (wanted) =>
      target.columns.find(({ name }) => foldName(name) === foldName(wanted)) ??
      fail('sql.binding', `the table has no column ${JSON.stringify(wanted)}`),
  );
}

function checkColumns(command: Command, given: number, request: DraftRequest): void {
  if (command.kind !== 'insert') return;
  const expected = targetColumns(command, requireOwn(command.table, request)).length;
  if (given !== expected) fail('sql.binding', `the INSERT gives ${given} columns where the table takes ${expected}`);
}
