/**
 * Which casts can not betray a hidden row: those that never fail, and those that DuckDB itself knows to fail, so that it neither moves them
 * before a filter nor runs them over dictionaries. Shown by test/unit/sql/casts.test.ts; what is not named here counts as dangerous.
 */
import { type Json, object, objects } from './ast.ts';

/** Bits of the largest value; unsigned types take no negative values. */
const SIGNED: Readonly<Record<string, number>> = { TINYINT: 7, SMALLINT: 15, INTEGER: 31, BIGINT: 63, HUGEINT: 127 };
const UNSIGNED: Readonly<Record<string, number>> = { UTINYINT: 8, USMALLINT: 16, UINTEGER: 32, UBIGINT: 64, UHUGEINT: 128 };
const FLOATS: ReadonlySet<string> = new Set(['FLOAT', 'DOUBLE']);
/** Values of these have a text that never fails to be made. */
const WRITTEN: ReadonlySet<string> = new Set(
  'BOOLEAN DATE TIMESTAMP TIMESTAMP_S TIMESTAMP_MS TIMESTAMP_NS TIME INTERVAL VARCHAR UUID BLOB FLOAT DOUBLE DECIMAL'.split(' '),
);
/** Texts become these with the flag. */
const READ_WITH_FLAG: ReadonlySet<string> = new Set(['BOOLEAN', 'DATE', 'TIMESTAMP', 'FLOAT', 'DOUBLE', 'DECIMAL']);

/** `from` and `to` are types as the engine serialises them. */
export function isSafeCast(from: Json, to: Json): boolean {
  return neverFails(from, to) || failsWithFlag(from, to);
}

function neverFails(from: Json, to: Json): boolean {
  if (sameType(from, to)) return true;
  const [source, target] = [idOf(from), idOf(to)];
  if (source === 'SQLNULL' || source === 'NULL') return !named(to);
  if (source === 'VARCHAR' && target === 'VARCHAR') return !named(to);
  if (named(from) || named(to)) return false;
  if (target === 'VARCHAR') return bits(source) !== undefined || WRITTEN.has(source);
  if (source === 'LIST' && target === 'LIST') return neverFails(elementOf(from), elementOf(to));
  if (source === 'STRUCT' && target === 'STRUCT') return membersNeverFail(from, to);
  if (source === 'DECIMAL' && target === 'DECIMAL') return widensDecimal(from, to);
  return numberNeverFails(from, to);
}

function numberNeverFails(from: Json, to: Json): boolean {
  const [source, target] = [idOf(from), idOf(to)];
  if (target === 'BOOLEAN') return isNumber(source);
  if (source === 'BOOLEAN') return bits(target) !== undefined || FLOATS.has(target) || (target === 'DECIMAL' && integerDigits(to) > 0);
  if (source === 'FLOAT') return target === 'DOUBLE';
  if (FLOATS.has(target)) return isNumber(source) && source !== 'DOUBLE' && !(source === 'UHUGEINT' && target === 'FLOAT');
  const size = source === 'DECIMAL' ? decimalBits(from) : bits(source);
  if (size === undefined) return false;
  if (target === 'DECIMAL') return integerDigits(to) >= Math.ceil(size * Math.log10(2));
  const room = bits(target);
  return room !== undefined && size <= room && (Object.hasOwn(UNSIGNED, source) || Object.hasOwn(SIGNED, target));
}

/** DuckDB's rule: the wider of both types is the source. Only pairs that the tests have seen: DECIMAL to INTEGER has no flag. */
function failsWithFlag(from: Json, to: Json): boolean {
  if (named(from) || named(to)) return false;
  const [source, target] = [idOf(from), idOf(to)];
  if (source === 'VARCHAR') return bits(target) !== undefined || READ_WITH_FLAG.has(target);
  if (source === 'TIMESTAMP') return target === 'DATE';
  if (source === 'DOUBLE') return target === 'FLOAT' || target === 'DECIMAL' || bits(target) !== undefined;
  if (source === 'FLOAT') return target === 'DECIMAL' || bits(target) !== undefined;
  for (const family of [SIGNED, UNSIGNED]) {
    const [wide, narrow] = [family[source], family[target]];
    if (wide !== undefined && narrow !== undefined) return wide > narrow;
  }
  return false;
}

/** Days and times of four-digit years are inside every date type but TIMESTAMP_NS. */
const DAY = /^\s*(\d{4})-(\d{1,2})-(\d{1,2})([ T]([01]?\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d{1,6})?)?)?\s*$/;
const NEAR_DAY = /^\s*(1[789]|20|21)\d\d-/;
const INTERVAL = /^\s*-?\d{1,6}\s*(second|minute|hour|day|week|month|quarter|year)s?\s*$/i;
const DATES: ReadonlySet<string> = new Set(['DATE', 'TIMESTAMP', 'TIMESTAMP_S', 'TIMESTAMP_MS', 'TIMESTAMP WITH TIME ZONE']);

/** A cast of a literal, also through other casts: a literal that fails in one branch only would tell who reached that branch. */
export function isSafeLiteralCast(value: Json, to: Json): boolean {
  const plain = value['value'];
  const target = idOf(to);
  if (value['is_null'] === true) return true;
  if (named(to)) return false;
  if (typeof plain === 'string') {
    if (target === 'INTERVAL') return INTERVAL.test(plain);
    return isDay(plain) && (DATES.has(target) || (target === 'TIMESTAMP_NS' && NEAR_DAY.test(plain)));
  }
  if (typeof plain !== 'number' || !Number.isSafeInteger(plain) || bits(idOf(object(value['type']))) === undefined) return false;
  if (target === 'DECIMAL') return Math.abs(plain) < 10 ** integerDigits(to);
  const room = bits(target);
  return room !== undefined && Math.abs(plain) < 2 ** room && (plain >= 0 || Object.hasOwn(SIGNED, target));
}

function isDay(literal: string): boolean {
  const [year = 0, month = 0, day = 0] = DAY.exec(literal)?.slice(1, 4).map(Number) ?? [];
  return year > 0 && new Date(Date.UTC(2000 + (year % 400), month - 1, day)).getUTCMonth() === month - 1 && day > 0;
}

export function typeName(type: Json): string {
  const info = infoOf(type);
  if (named(type)) return String(info['alias']);
  const { width, scale } = info as { readonly width?: unknown; readonly scale?: unknown };
  return idOf(type) === 'DECIMAL' ? `DECIMAL(${String(width)},${String(scale)})` : idOf(type);
}

export function sameType(left: Json, right: Json): boolean {
  return JSON.stringify(left) === JSON.stringify(right);
}

function membersNeverFail(from: Json, to: Json): boolean {
  const [sources, targets] = [from, to].map((type) => objects(infoOf(type), 'child_types'));
  if (sources === undefined || targets === undefined || sources.length !== targets.length) return false;
  return sources.every((member, i) => {
    const other = targets[i];
    return other !== undefined && other['first'] === member['first'] && neverFails(object(member['second']), object(other['second']));
  });
}

/** Rounding to fewer places can carry into one more digit. */
function widensDecimal(from: Json, to: Json): boolean {
  const carries = Number(infoOf(to)['scale']) < Number(infoOf(from)['scale']) ? 1 : 0;
  return integerDigits(from) + carries <= integerDigits(to);
}

/** Bits of the largest integer that rounding can make. */
function decimalBits(decimal: Json): number {
  return integerDigits(decimal) * Math.log2(10);
}

function integerDigits(decimal: Json): number {
  const info = infoOf(decimal);
  const digits = Number(info['width']) - Number(info['scale']);
  return Number.isInteger(digits) ? digits : Number.NaN;
}

function bits(id: string): number | undefined {
  return SIGNED[id] ?? UNSIGNED[id];
}

function isNumber(id: string): boolean {
  return bits(id) !== undefined || FLOATS.has(id) || id === 'DECIMAL';
}

function idOf(type: Json): string {
  return String(type['id']);
}

/** JSON and the like are named forms of plain types, with rules of their own. */
function named(type: Json): boolean {
  const alias = infoOf(type)['alias'];
  return alias !== undefined && alias !== '';
}

function elementOf(list: Json): Json {
  return object(infoOf(list)['child_type'] ?? {});
}

function infoOf(type: Json): Json {
  const info = type['type_info'];
  return info === null || info === undefined ? {} : object(info);
}
