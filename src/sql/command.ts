/** The statements that are not queries. What does not read as one of them is left to the gate, whose refusal stays as it is. */
import type { Command, TableName } from '../model.ts';
import { foldName } from '../names.ts';
import { scan, type Token } from './scan.ts';

export interface ParsedCommand {
  readonly command: Command;
  /** The query part as written; null where there is none. */
  readonly query: string | null;
}

export interface CommandNames {
  /** The catalog's public name, which a table's name may start with. */
  readonly catalogName: string;
  /** For tables without a schema. */
  readonly defaultSchema: string;
}

const FIRST_WORDS: ReadonlySet<string> = new Set(['create', 'insert', 'drop', 'show']);

/** null = none of Sluice's commands. */
export function parseCommand(sql: string, names: CommandNames): ParsedCommand | null {
  const first = scan(sql).next();
  if (first.done === true || !FIRST_WORDS.has(first.value.text.toLowerCase())) return null;
  const reader = new Reader(sql, names);
  return createTable(reader.start()) ?? insert(reader.start()) ?? dropTable(reader.start()) ?? tokenCommand(reader.start());
}

const DAY_MS = 24 * 3600 * 1000;
const UNITS: Readonly<Record<string, number>> = { second: 1000, minute: 60_000, hour: 3_600_000, day: DAY_MS, week: 7 * DAY_MS };

/** Reads tokens from the left; each step gives undefined when the text is something else. */
class Reader {
  readonly #sql: string;
  readonly #names: CommandNames;
  readonly #tokens: readonly Token[];
  #next = 0;

  constructor(sql: string, names: CommandNames) {
    this.#sql = sql;
    this.#names = names;
    const tokens = [...scan(sql)];
    while (tokens.at(-1)?.text === ';') tokens.pop();
    this.#tokens = tokens;
  }

  start(): this {
    this.#next = 0;
    return this;
  }

  /** Takes the words, all or none. */
  words(...expected: readonly string[]): boolean {
    const found = expected.every((word, i) => {
      const token = this.#tokens[this.#next + i];
      return token?.kind === 'word' && token.text.toLowerCase() === word;
    });
    if (found) this.#next += expected.length;
    return found;
  }

  symbol(expected: string): boolean {
    const found = this.#tokens[this.#next]?.text === expected;
    if (found) this.#next++;
    return found;
  }

  name(): string | undefined {
    const token = this.#tokens[this.#next];
    if (token === undefined || (token.kind !== 'word' && token.kind !== 'quoted')) return undefined;
    this.#next++;
    return token.kind === 'word' ? token.text : token.text.slice(1, -1).replaceAll('""', '"');
  }

  /** One to three parts. */
  table(): TableName | undefined {
    const parts: (string | undefined)[] = [];
    do parts.push(this.name());
    while (this.symbol('.'));
    const [name, schema = this.#names.defaultSchema, catalog = this.#names.catalogName, ...more] = parts.toReversed();
    const whole = !parts.includes(undefined) && more.length === 0 && foldName(catalog) === foldName(this.#names.catalogName);
    return whole && name !== undefined ? { schema, name } : undefined;
  }

  text(): string | undefined {
    const token = this.#tokens[this.#next];
    if (token?.kind !== 'text' || !token.text.startsWith("'")) return undefined;
    this.#next++;
    return token.text.slice(1, -1).replaceAll("''", "'");
  }

  /** `(a, b)`, or none where no bracket opens. */
  columns(): readonly string[] | undefined {
    const start = this.#next;
    if (!this.symbol('(')) return [];
    const names: string[] = [];
    do {
      const name = this.name();
      // Not a list of names: the bracket opens a query.
      if (name === undefined) return this.#back(start);
      names.push(name);
    } while (this.symbol(','));
    return this.symbol(')') ? names : this.#back(start);
  }

  #back(start: number): readonly string[] {
    this.#next = start;
    return [];
  }

  ended(): boolean {
    return this.#next >= this.#tokens.length;
  }

  /** The text from here up to the end; undefined when nothing is left. */
  rest(): string | undefined {
    const [first, last] = [this.#tokens[this.#next], this.#tokens.at(-1)];
    return first === undefined || last === undefined ? undefined : this.#sql.slice(first.start, last.end);
  }
}

function createTable(reader: Reader): ParsedCommand | null {
  if (!reader.words('create')) return null;
  const replace = reader.words('or', 'replace');
  if (!reader.words('table')) return null;
  const keep = !replace && reader.words('if', 'not', 'exists');
  const table = reader.table();
  const query = table !== undefined && reader.words('as') ? reader.rest() : undefined;
  if (table === undefined || query === undefined) return null;
  return { command: { kind: 'createTable', table, ifExists: replace ? 'replace' : keep ? 'keep' : 'fail' }, query };
}

function insert(reader: Reader): ParsedCommand | null {
  if (!reader.words('insert', 'into')) return null;
  const table = reader.table();
  const columns = table === undefined ? undefined : reader.columns();
  const query = columns === undefined ? undefined : reader.rest();
  if (table === undefined || columns === undefined || query === undefined) return null;
  return { command: { kind: 'insert', table, columns }, query };
}

function dropTable(reader: Reader): ParsedCommand | null {
  if (!reader.words('drop', 'table')) return null;
  const ifExists = reader.words('if', 'exists');
  const table = reader.table();
  return table !== undefined && reader.ended() ? { command: { kind: 'dropTable', table, ifExists }, query: null } : null;
}

function tokenCommand(reader: Reader): ParsedCommand | null {
  if (reader.words('show', 'tokens')) return reader.ended() ? { command: { kind: 'showTokens' }, query: null } : null;
  const creates = reader.words('create', 'token');
  if (!creates && !reader.words('drop', 'token')) return null;
  const name = reader.name();
  if (name === undefined) return null;
  if (!creates) return reader.ended() ? { command: { kind: 'dropToken', name }, query: null } : null;
  const ttlMs = reader.words('expires', 'in') ? duration(reader.text()) : null;
  return ttlMs !== undefined && reader.ended() ? { command: { kind: 'createToken', name, ttlMs }, query: null } : null;
}

function duration(text: string | undefined): number | undefined {
  const match = /^\s*(\d{1,9})\s*(second|minute|hour|day|week)s?\s*$/i.exec(text ?? '');
  const unit = UNITS[match?.[2]?.toLowerCase() ?? ''];
  const amount = Number(match?.[1]);
  return unit === undefined || amount === 0 ? undefined : amount * unit;
}
