/** Plain values as SQL constants: own quoting, typed by casts. */
import { hasControl, hasLoneSurrogate } from './limits.ts';
import { identifier, typeText } from './quote.ts';

export type Value =
  | { readonly kind: 'null' }
  | { readonly kind: 'boolean'; readonly value: boolean }
  /** Decimal digits, perhaps with a point or an exponent. */
  | { readonly kind: 'number'; readonly text: string; readonly type: string }
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array }
  /** What has a type of its own and is written as a text: dates, times, intervals, floats that are not finite. */
  | { readonly kind: 'written'; readonly text: string; readonly type: string }
  | { readonly kind: 'list'; readonly items: readonly Value[] }
  | { readonly kind: 'struct'; readonly members: readonly (readonly [name: string, value: Value])[] };

/** Why a cell has no plain value, for the client. */
export class UnreadableValue extends Error {}

export interface Literal {
  /** A constant of the asked type. */
  readonly text: string;
  /** An SQL condition that is true when the type can hold the value as it is; null where it always can. */
  readonly keeps: string | null;
}

/** `type`: DuckDB text. Throws UnreadableValue. */
export function literalOf(value: Value, type: string): Literal {
  const cast = (text: string): string => `CAST(${text} AS ${typeText(type)})`;
  if (value.kind === 'null') return { text: cast('NULL'), keeps: null };
  const [own, ownType] = constant(value);
  if (ownType === type) return { text: value.kind === 'list' || value.kind === 'struct' ? cast(own) : withType(own, ownType), keeps: null };
  return { text: cast(own), keeps: type === 'VARCHAR' ? null : condition(own, ownType, type) };
}

/** What stands for a value of a type while a statement is prepared, where NULL will not do. */
export function sampleOf(type: string): string {
  if (type === 'VARCHAR') return "CAST('' AS VARCHAR)";
  if (NUMBER.test(type)) return `CAST(1 AS ${typeText(type)})`;
  if (type === 'BOOLEAN') return 'CAST(true AS BOOLEAN)';
  return POINT_IN_TIME.test(type) ? `CAST('2000-01-01' AS ${typeText(type)})` : `CAST(NULL AS ${typeText(type)})`;
}

const NUMBER = /^(?:U?(?:TINY|SMALL|BIG|HUGE)INT|U?INTEGER|DECIMAL\(.*\)|FLOAT|DOUBLE)$/;
const FLOAT = /^(?:FLOAT|DOUBLE)$/;
const POINT_IN_TIME = /^(?:DATE|TIMESTAMP(?:_S|_MS|_NS)?)$/;

/** Floats round, and texts are read; every other change of the value would change the answer. */
function condition(own: string, ownType: string, type: string): string {
  const tried = `TRY_CAST(${own} AS ${typeText(type)})`;
  const compares =
    (NUMBER.test(ownType) && NUMBER.test(type) && !FLOAT.test(type)) || (POINT_IN_TIME.test(ownType) && POINT_IN_TIME.test(type));
  return compares ? `${tried} = ${own}` : `${tried} IS NOT NULL`;
}

function withType(text: string, type: string): string {
  return text.startsWith('CAST(') ? text : `CAST(${text} AS ${typeText(type)})`;
}

/** A constant expression and its type. */
function constant(value: Exclude<Value, { kind: 'null' }>): readonly [text: string, type: string] {
  switch (value.kind) {
    case 'boolean':
      return [String(value.value), 'BOOLEAN'];
    case 'number':
      return [value.text, value.type];
    case 'text':
      return [quoted(value.text), 'VARCHAR'];
    case 'bytes':
      return [`CAST('${Array.from(value.bytes, (byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join('')}' AS BLOB)`, 'BLOB'];
    case 'written':
      return [`CAST('${value.text}' AS ${value.type})`, value.type];
    case 'list':
      return [`[${value.items.map(nested).join(', ')}]`, 'LIST'];
    case 'struct':
      return [`{${value.members.map(([name, member]) => `${memberName(name)}: ${nested(member)}`).join(', ')}}`, 'STRUCT'];
  }
}

function nested(value: Value): string {
  return value.kind === 'null' ? 'NULL' : constant(value)[0];
}

function memberName(name: string): string {
  if (name === '' || hasControl(name, false) || hasLoneSurrogate(name))
    throw new UnreadableValue('a struct has a member without a readable name');
  return identifier(name);
}

/** NUL would cut the statement short in the engine's C interface; other control characters are escaped, since the gate takes none. */
function quoted(text: string): string {
  if (text.includes('\0')) throw new UnreadableValue('a text with a NUL character can not be bound');
  if (hasLoneSurrogate(text)) throw new UnreadableValue('a text is not valid Unicode');
  const doubled = text.replaceAll("'", "''");
  if (!hasControl(text)) return `'${doubled}'`;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  return `E'${doubled.replaceAll('\\', '\\\\').replaceAll(/[\x01-\x08\x0b\x0c\x0e-\x1f\x7f]/g, (c) => `\\x${c.charCodeAt(0).toString(16).padStart(2, '0')}`)}'`;
}
