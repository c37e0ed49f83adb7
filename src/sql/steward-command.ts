/** The statements of whoever operates the server. */
import { fail } from '../errors.ts';
import { FILE_FORMATS } from '../files.ts';
import type { StewardCommand } from '../model.ts';
import type { CommandReader } from './command-reader.ts';

const USAGE = "write REGISTER DATASET schema.name FROM connection 'path' [FORMAT parquet|csv|json] [HIVE]";

/** null = none of them. Throws sql.syntax on half of one. */
export function stewardCommand(reader: CommandReader): StewardCommand | null {
  if (reader.words('show', 'workers')) return reader.ended() ? { kind: 'showWorkers' } : null;
  if (reader.words('show', 'cache')) return reader.ended() ? { kind: 'showCache' } : null;
  if (reader.words('register', 'dataset')) return registration(reader);
  const verbs = { refresh: 'refreshDataset', pin: 'pin', unpin: 'unpin' } as const;
  for (const verb of ['refresh', 'pin', 'unpin'] as const) {
    if (!reader.words(verb, 'dataset')) continue;
    const table = reader.table();
    return table !== undefined && reader.ended()
      ? { kind: verbs[verb], table }
      : fail('sql.syntax', `write ${verb.toUpperCase()} DATASET schema.name`);
  }
  return null;
}

/** `schema.name FROM connection 'path' [FORMAT parquet|csv|json] [HIVE]`. */
function registration(reader: CommandReader): StewardCommand {
  const table = reader.table();
  if (table === undefined || !reader.words('from')) return fail('sql.syntax', USAGE);
  const connection = reader.name();
  const path = reader.text();
  const format = reader.words('format') ? FILE_FORMATS.find((name) => reader.words(name)) : 'parquet';
  const hivePartitioning = reader.words('hive');
  if (connection === undefined || path === undefined || format === undefined || !reader.ended()) return fail('sql.syntax', USAGE);
  return { kind: 'registerDataset', table, connection, path, format, hivePartitioning };
}
