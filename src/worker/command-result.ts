/** A command's answer as an Arrow IPC stream. */
import { Table, tableToIPC, vectorFromArray } from 'apache-arrow';
import type { Command } from '../model.ts';
import { commandSchema } from '../wire/index.ts';
import type { CommandResult } from './types.ts';

/** Under the schema that the planner promised. */
export function commandIpc(command: Command, result: CommandResult): Uint8Array {
  const schema = commandSchema(command);
  const rows = 'rows' in result ? result.rows : [{ count: BigInt(result.count) }];
  // Vectors of no rows have no batch, which the Table constructor refuses.
  if (rows.length === 0) return tableToIPC(new Table(schema), 'stream');
  const columns = schema.fields.map(({ name, type }) => [
    name,
    vectorFromArray(
      rows.map((row): unknown => (row as Readonly<Record<string, unknown>>)[name] ?? null),
      type,
    ),
  ]);
  return tableToIPC(new Table(schema, Object.fromEntries(columns)), 'stream');
}

/** How many rows an update changed; a command that answers rows changes none. */
export function changedRows(result: CommandResult): number {
  return 'count' in result ? result.count : 0;
}
