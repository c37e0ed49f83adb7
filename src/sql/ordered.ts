/** Values whose order DuckDB and this program see alike. Everything else has no key: nothing is concluded from it. */

/** A number or time as a scaled integer, or a text; keys of one column are all of one kind. */
export type Key = bigint | string;

/** Kinds of columns whose values have keys. */
export type Order = 'number' | 'text' | 'date' | 'timestamp' | 'boolean';

const INTEGER = /^U?(TINYINT|SMALLINT|INTEGER|BIGINT|HUGEINT)$/;
/** Numbers are scaled by it; wider decimals are compared as floats in places. */
const SCALE = 18;
const UNIT = 10n ** BigInt(SCALE);

/** null: floats (NaN, rounding), zones, collations, nested types and whatever else. */
export function orderOf(type: string): Order | null {
  if (type === 'VARCHAR') return 'text';
  if (type === 'DATE') return 'date';
  if (type === 'TIMESTAMP') return 'timestamp';
  if (type === 'BOOLEAN') return 'boolean';
  return INTEGER.test(type) || decimalScale(type) !== null ? 'number' : null;
}

function decimalScale(type: string): number | null {
  const match = /^DECIMAL\((\d+),\s*(\d+)\)$/.exec(type);
  return match === null || Number(match[1]) > SCALE ? null : Number(match[2]);
}

/** Whether a cast between the types changes no value and no order. */
export function keepsOrder(from: string, to: string): boolean {
  if (from === to) return true;
  if (INTEGER.test(from)) return INTEGER.test(to) || decimalScale(to) !== null;
  const [before, after] = [decimalScale(from), decimalScale(to)];
  return before !== null && after !== null && before <= after;
}

/** A value of the column's type as DuckDB writes it; null where that is not certain. */
export function readKey(text: string, type: string): Key | null {
  switch (orderOf(type)) {
    case 'text':
      return text;
    case 'date':
      return dateKey(text);
    case 'timestamp':
      return timestampKey(text);
    case 'boolean':
      return text === 'true' ? 1n : text === 'false' ? 0n : null;
    case 'number':
      return numberKey(text, decimalScale(type) ?? 0);
    default:
      return null;
  }
}

/** null with more than `scale` digits behind the point: a cast would round them. */
export function numberKey(text: string, scale: number = SCALE): bigint | null {
  const match = /^(-?)(\d{1,38})(?:\.(\d+))?$/.exec(text);
  const [, sign, whole = '', digits = ''] = match ?? [];
  if (match === null || digits.length > scale) return null;
  const key = BigInt(whole) * UNIT + BigInt(digits.padEnd(SCALE, '0'));
  return sign === '-' ? -key : key;
}

/** Days. */
export function dateKey(text: string): bigint | null {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(text)) return null;
  const time = Date.parse(`${text}T00:00:00Z`);
  return Number.isNaN(time) || !new Date(time).toISOString().startsWith(text) ? null : BigInt(time / DAY_MS);
}

const DAY_MS = 86_400_000;

/** Microseconds; a date is its midnight. */
export function timestampKey(text: string): bigint | null {
  const match = /^(\d{4}-\d{2}-\d{2})(?:[ T]([01]\d|2[0-3]):([0-5]\d):([0-5]\d)(?:\.(\d{1,6}))?)?$/.exec(text);
  const day = dateKey(match?.[1] ?? '');
  if (match === null || day === null) return null;
  const [hours, minutes, seconds] = match.slice(2, 5).map((part) => Number(part ?? 0)) as [number, number, number];
  const second = BigInt(hours * 3600 + minutes * 60 + seconds);
  return (day * 86_400n + second) * 1_000_000n + BigInt((match[5] ?? '').padEnd(6, '0'));
}

/** Texts by their UTF-8 bytes, as DuckDB has them. */
export function compareKeys(a: Key, b: Key): number {
  if (typeof a === 'string' && typeof b === 'string') return compareTexts(a, b);
  return a < b ? -1 : a > b ? 1 : 0;
}

function compareTexts(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const [x, y] = [a.charCodeAt(i), b.charCodeAt(i)];
    if (x !== y) return codePointRank(x) - codePointRank(y);
  }
  return a.length - b.length;
}

/** Surrogates stand for the largest code points, but are not the largest units. */
function codePointRank(unit: number): number {
  if (unit < 0xd800) return unit;
  return unit < 0xe000 ? unit + 0x2000 : unit - 0x800;
}
