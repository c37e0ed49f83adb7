/** Strict reading of one YAML file: unknown keys, wrong types, anchors and duplicates are problems with their line. */
import { isMap, isScalar, isSeq, LineCounter, type Node, parseDocument } from 'yaml';
import type { Position, Problems } from './problems.ts';

interface YamlFile {
  readonly name: string;
  readonly lines: LineCounter;
  readonly problems: Problems;
}

/** null after a syntax error; those are reported all at once too. */
export function readYaml(name: string, text: string, problems: Problems): YamlNode | null {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: true, prettyErrors: false, stringKeys: true });
  const faults = [...document.errors, ...document.warnings];
  for (const fault of faults) problems.add({ file: name, line: lines.linePos(fault.pos[0]).line }, fault.message);
  if (faults.length > 0) return null;
  const root = new YamlNode({ name, lines, problems }, document.contents, name, null);
  if (document.contents !== null) return root;
  root.problem('the file is empty');
  return null;
}

/** A node with a way to complain about it. Readers return undefined after they complained. */
export class YamlNode {
  readonly #file: YamlFile;
  readonly #node: unknown;
  readonly #what: string;
  /** Where a mapping's value is complained about: the line of its key. */
  readonly #keyLine: number | null;

  constructor(file: YamlFile, node: unknown, what: string, keyLine: number | null) {
    this.#file = file;
    this.#node = node;
    this.#what = what;
    this.#keyLine = keyLine;
  }

  get position(): Position {
    const range = (this.#node as Node | null | undefined)?.range;
    const own = range ? this.#file.lines.linePos(range[0]).line : null;
    return { file: this.#file.name, line: this.#keyLine ?? own };
  }

  problem(text: string): undefined {
    this.#file.problems.add(this.position, text);
    return undefined;
  }

  /** A mapping with any keys. */
  entries(): readonly (readonly [string, YamlNode])[] {
    if (!isMap(this.#node)) {
      this.problem(`${this.#what} must be a mapping`);
      return [];
    }
    return this.#node.items.map(({ key, value }) => {
      const name = isScalar(key) ? String(key.value) : '';
      const line = isScalar(key) && key.range ? this.#file.lines.linePos(key.range[0]).line : this.position.line;
      return [name, new YamlNode(this.#file, value, name, line)];
    });
  }

  /** A mapping with known keys only; `required` ones must be there. */
  fields<K extends string>(known: readonly K[], required: readonly K[] = []): Fields<K> {
    const found = new Map<string, YamlNode>();
    for (const [name, node] of this.entries()) {
      if ((known as readonly string[]).includes(name)) found.set(name, node);
      else node.problem(`unknown key ${name}; known are ${known.join(', ')}`);
    }
    if (isMap(this.#node)) for (const name of required) if (!found.has(name)) this.problem(`${this.#what} needs ${name}`);
    return { get: (name) => found.get(name) };
  }

  items(): readonly YamlNode[] {
    if (!isSeq(this.#node)) {
      this.problem(`${this.#what} must be a list`);
      return [];
    }
    return this.#node.items.map((item) => new YamlNode(this.#file, item, this.#what, null));
  }

  get isMapping(): boolean {
    return isMap(this.#node);
  }

  get isNull(): boolean {
    return isScalar(this.#node) && this.#node.value === null;
  }

  get isList(): boolean {
    return isSeq(this.#node);
  }

  text(): string | undefined {
    const value = this.#value();
    if (typeof value === 'string') return value;
    return this.problem(`${this.#what} must be text; put it in quotes`);
  }

  flag(): boolean | undefined {
    const value = this.#value();
    return typeof value === 'boolean' ? value : this.problem(`${this.#what} must be true or false`);
  }

  /** A whole number of at least `min`. */
  count(min: number): number | undefined {
    const value = this.#value();
    if (typeof value === 'number' && Number.isSafeInteger(value) && value >= min) return value;
    return this.problem(`${this.#what} must be a whole number of at least ${min}`);
  }

  /** Text, a finite number or true/false. */
  scalar(): string | number | boolean | undefined {
    const value = this.#value();
    if (typeof value === 'string' || typeof value === 'boolean') return value;
    return typeof value === 'number' && Number.isFinite(value) ? value : this.problem(`${this.#what} must be text, a number or true/false`);
  }

  /** A scalar as it is written: `007` stays `007`. */
  written(): string | undefined {
    const value = this.scalar();
    if (value === undefined || typeof value === 'string') return value;
    return (isScalar(this.#node) ? this.#node.source : undefined) ?? String(value);
  }

  texts(): readonly string[] {
    return this.items().flatMap((item) => item.text() ?? []);
  }

  #value(): unknown {
    return isScalar(this.#node) ? this.#node.value : undefined;
  }
}

export interface Fields<K extends string> {
  get(name: K): YamlNode | undefined;
}
