/** Reads the words of a statement from the left, for those that are not queries. */
import type { TableName } from '../model.ts';
import { foldName } from '../names.ts';
import { scan, type Token } from './scan.ts';

export interface CommandNames {
  /** The catalog's public name, which a table's name may start with. */
  readonly catalogName: string;
  /** For tables without a schema. */
  readonly defaultSchema: string;
}

/** Reads tokens from the left; each step gives undefined when the text is something else. */
export class CommandReader {
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
