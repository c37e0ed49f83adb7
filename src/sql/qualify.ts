/** Points names at a plan's catalog by splicing bytes at the places the parser reported; the rest of the text is not touched. */

import { fail } from '../errors.ts';
import { foldName } from '../names.ts';
import { isObject } from './ast.ts';
import type { GatedStatement } from './gate.ts';
import { baseName, INFORMATION_SCHEMA, isBaseSchema } from './plan-catalog.ts';
import { qualified } from './quote.ts';
import { endOfComment } from './scan.ts';
import type { CatalogReference, GatedTable } from './walk.ts';

export interface QualifyTarget {
  /** The catalog's public name. */
  readonly catalogName: string;
  readonly planCatalog: string;
}

interface Splice {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/** Replaces the catalog part of three-part tables and four-part columns. The caller re-parses and calls sameExceptCatalog. */
export function qualify(sql: string, gated: Pick<GatedStatement, 'tables' | 'columnReferences'>, target: QualifyTarget): string {
  const bytes = Buffer.from(sql, 'utf8');
  const tables = gated.tables.filter((table) => table.parts.length === 3 && !isSystem(table));
  const system = gated.tables.filter((table) => table.parts.length > 0 && isSystem(table));
  for (const { parts } of tables) {
    if (!sameName(parts[0], target.catalogName)) fail('dataset.unknown', `catalog ${JSON.stringify(parts[0])} does not exist`);
  }
  const columns = gated.columnReferences.filter((reference) => tables.some((table) => startsWith(reference.parts, table.parts)));
  const splices = [...tables, ...columns].map((reference) => catalogSplice(bytes, reference, target.planCatalog));
  return apply(bytes, [
    ...splices,
    ...system.map((table) => ({ ...nameSpan(bytes, table), text: baseName(table.dataset, target.planCatalog) })),
  ]);
}

function isSystem({ dataset }: GatedTable): boolean {
  return dataset.schema === INFORMATION_SCHEMA;
}

/** For stewards' views: every table becomes the plan catalog's base view of the dataset. */
export function qualifyView(sql: string, gated: Pick<GatedStatement, 'tables' | 'columnReferences'>, planCatalog: string): string {
  const bytes = Buffer.from(sql, 'utf8');
  const columns = gated.columnReferences.filter((reference) =>
    gated.tables.some((table) => table.parts.length === 3 && startsWith(reference.parts, table.parts)),
  );
  const tables = gated.tables.map((table) => ({
    ...nameSpan(bytes, table),
    text: baseName(table.dataset, planCatalog),
  }));
  return apply(bytes, [...tables, ...columns.map((reference) => catalogSplice(bytes, reference, planCatalog))]);
}

function sameName(a: string | undefined, b: string | undefined): boolean {
  return a !== undefined && b !== undefined && foldName(a) === foldName(b);
}

function startsWith(parts: readonly string[], prefix: readonly string[]): boolean {
  return prefix.every((part, index) => sameName(part, parts[index]));
}

function catalogSplice(bytes: Buffer, reference: GatedTable | CatalogReference, planCatalog: string): Splice {
  const { first } = nameSpan(bytes, reference);
  return { start: first.start, end: first.end, text: qualified(planCatalog) };
}

interface Span {
  readonly start: number;
  readonly end: number;
  readonly first: { readonly start: number; readonly end: number };
}

/** Where the dotted name stands; blanks and comments may stand between its parts. */
function nameSpan(bytes: Buffer, reference: GatedTable | CatalogReference): Span {
  const span = reference.location < 0 ? undefined : (readName(bytes, reference.location, reference.parts) ?? afterAlias(bytes, reference));
  return span ?? fail('sql.refused', 'this way of writing a qualified name is not supported: put the alias after the name');
}

/** `alias: name` reports the place of the alias. */
function afterAlias(bytes: Buffer, reference: GatedTable | CatalogReference): Span | undefined {
  const alias = readPart(bytes, reference.location);
  const colon = alias === undefined ? -1 : skipBlanks(bytes, alias.end);
  return colon >= 0 && bytes[colon] === 0x3a ? readName(bytes, skipBlanks(bytes, colon + 1), reference.parts) : undefined;
}

function readName(bytes: Buffer, start: number, parts: readonly string[]): Span | undefined {
  let first: Span['first'] | undefined;
  let position = start;
  for (const [index, expected] of parts.entries()) {
    if (index > 0) {
      const dot = skipBlanks(bytes, position);
      if (bytes[dot] !== 0x2e) return undefined;
      position = skipBlanks(bytes, dot + 1);
    }
    const part = readPart(bytes, position);
    if (part === undefined || !sameName(part.name, expected)) return undefined;
    first ??= { start: position, end: part.end };
    position = part.end;
  }
  return first === undefined ? undefined : { start, end: position, first };
}

/** One name, quoted or bare, or a text literal that stands for a name. */
function readPart(bytes: Buffer, start: number): { name: string; end: number } | undefined {
  const rest = bytes.toString('utf8', start, Math.min(bytes.length, start + 2048));
  const quotedName = /^"((?:[^"]|"")*)"/.exec(rest) ?? /^'((?:[^']|'')*)'/.exec(rest);
  if (quotedName !== null) {
    const quote = rest[0] ?? '"';
    return { name: (quotedName[1] ?? '').replaceAll(quote + quote, quote), end: start + Buffer.byteLength(quotedName[0]) };
  }
  const bare = /^[A-Za-z_\u0080-\u{10ffff}][\w$\u0080-\u{10ffff}]*/u.exec(rest);
  return bare === null ? undefined : { name: bare[0], end: start + Buffer.byteLength(bare[0]) };
}

/** Blanks as DuckDB sees them: ASCII, Unicode spaces, and comments, which nest. */
function skipBlanks(bytes: Buffer, start: number): number {
  const rest = bytes.toString('utf8', start);
  let position = 0;
  for (;;) {
    const blank = /^(?:[\s\u200b\ufeff\u00a0]+|--[^\r\n]*)/u.exec(rest.slice(position));
    if (blank !== null) position += blank[0].length;
    else if (rest.startsWith('/*', position)) position = endOfComment(rest, position + 2);
    else break;
  }
  return start + Buffer.byteLength(rest.slice(0, position));
}

function apply(bytes: Buffer, splices: readonly Splice[]): string {
  const pieces: Buffer[] = [];
  let position = 0;
  for (const { start, end, text } of [...splices].sort((a, b) => a.start - b.start)) {
    if (start < position) continue;
    pieces.push(bytes.subarray(position, start), Buffer.from(text));
    position = end;
  }
  return Buffer.concat([...pieces, bytes.subarray(position)]).toString('utf8');
}

export interface SameTarget {
  readonly planCatalog: string;
  /** The text is a steward's view, whose tables were pointed at base views. */
  readonly view?: boolean;
}

/** Whether two parse results differ in nothing but places in the text and catalog (for views: full) names of tables. */
export function sameExceptCatalog(before: unknown, after: unknown, target: SameTarget): boolean {
  if (Array.isArray(before))
    return (
      Array.isArray(after) && before.length === after.length && before.every((item, index) => sameExceptCatalog(item, after[index], target))
    );
  if (!isObject(before) || !isObject(after)) return Object.is(before, after);
  const keys = Object.keys(before);
  if (keys.length !== Object.keys(after).length) return false;
  return keys.every((key) => {
    if (!Object.hasOwn(after, key)) return false;
    if (key === 'query_location') return true;
    if (before['type'] === 'BASE_TABLE' && after['type'] === 'BASE_TABLE' && TABLE_NAME.has(key))
      return sameTablePart(key, before, after, target);
    if (key === 'column_names' && before['class'] === 'COLUMN_REF') return sameColumn(before[key], after[key], target);
    return sameExceptCatalog(before[key], after[key], target);
  });
}

const TABLE_NAME: ReadonlySet<string> = new Set(['catalog_name', 'schema_name', 'table_name']);

/** Left out before and filled in after, or the same name in another case. */
function sameTablePart(
  key: string,
  before: Readonly<Record<string, unknown>>,
  after: Readonly<Record<string, unknown>>,
  target: SameTarget,
): boolean {
  if (before[key] === after[key]) return true;
  if (after['catalog_name'] !== target.planCatalog) return false;
  if (key === 'catalog_name') return true;
  if (key === 'schema_name' && (target.view === true || sameName(String(before[key]), INFORMATION_SCHEMA)))
    return isBaseSchema(String(after[key]), String(before[key]));
  return before[key] === '' ? key === 'schema_name' : sameName(String(before[key]), String(after[key]));
}

function sameColumn(before: unknown, after: unknown, target: SameTarget): boolean {
  if (!Array.isArray(before) || !Array.isArray(after) || before.length !== after.length) return false;
  return before.every((part, index) => part === after[index] || (index === 0 && before.length >= 4 && after[0] === target.planCatalog));
}
