/** The statements that are not queries. What does not read as one of them is left to the gate, whose refusal stays as it is. */
import type { Command } from '../model.ts';
import { type CommandNames, CommandReader } from './command-reader.ts';
import { scan } from './scan.ts';
import { stewardCommand } from './steward-command.ts';

export interface ParsedCommand {
  readonly command: Command;
  /** The query part as written; null where there is none. */
  readonly query: string | null;
}

const FIRST_WORDS: ReadonlySet<string> = new Set(['create', 'insert', 'drop', 'show', 'register', 'refresh', 'pin', 'unpin']);

/** null = none of Sluice's commands. */
export function parseCommand(sql: string, names: CommandNames): ParsedCommand | null {
  const first = scan(sql).next();
  if (first.done === true || !FIRST_WORDS.has(first.value.text.toLowerCase())) return null;
  const reader = new CommandReader(sql, names);
  const query = createTable(reader.start()) ?? insert(reader.start());
  if (query !== null) return query;
  const command = dropTable(reader.start()) ?? tokenCommand(reader.start()) ?? stewardCommand(reader.start());
  return command === null ? null : { command, query: null };
}

const DAY_MS = 24 * 3600 * 1000;
const UNITS: Readonly<Record<string, number>> = { second: 1000, minute: 60_000, hour: 3_600_000, day: DAY_MS, week: 7 * DAY_MS };

function createTable(reader: CommandReader): ParsedCommand | null {
  if (!reader.words('create')) return null;
  const replace = reader.words('or', 'replace');
  if (!reader.words('table')) return null;
  const keep = !replace && reader.words('if', 'not', 'exists');
  const table = reader.table();
  const query = table !== undefined && reader.words('as') ? reader.rest() : undefined;
  if (table === undefined || query === undefined) return null;
  return { command: { kind: 'createTable', table, ifExists: replace ? 'replace' : keep ? 'keep' : 'fail' }, query };
}

function insert(reader: CommandReader): ParsedCommand | null {
  if (!reader.words('insert', 'into')) return null;
  const table = reader.table();
  const columns = table === undefined ? undefined : reader.columns();
  const query = columns === undefined ? undefined : reader.rest();
  if (table === undefined || columns === undefined || query === undefined) return null;
  return { command: { kind: 'insert', table, columns }, query };
}

function dropTable(reader: CommandReader): Command | null {
  if (!reader.words('drop', 'table')) return null;
  const ifExists = reader.words('if', 'exists');
  const table = reader.table();
  return table !== undefined && reader.ended() ? { kind: 'dropTable', table, ifExists } : null;
}

function tokenCommand(reader: CommandReader): Command | null {
  if (reader.words('show', 'tokens')) return reader.ended() ? { kind: 'showTokens' } : null;
  const creates = reader.words('create', 'token');
  if (!creates && !reader.words('drop', 'token')) return null;
  const name = reader.name();
  if (name === undefined) return null;
  if (!creates) return reader.ended() ? { kind: 'dropToken', name } : null;
  const ttlMs = reader.words('expires', 'in') ? duration(reader.text()) : null;
  return ttlMs !== undefined && reader.ended() ? { kind: 'createToken', name, ttlMs } : null;
}

function duration(text: string | undefined): number | undefined {
  const match = /^\s*(\d{1,9})\s*(second|minute|hour|day|week)s?\s*$/i.exec(text ?? '');
  const unit = UNITS[match?.[2]?.toLowerCase() ?? ''];
  const amount = Number(match?.[1]);
  return unit === undefined || amount === 0 ? undefined : amount * unit;
}
