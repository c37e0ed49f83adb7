/** Which types of one column in different files go together: the least type that holds every value of both, unchanged. */

const SIGNED = ['TINYINT', 'SMALLINT', 'INTEGER', 'BIGINT', 'HUGEINT'];
const UNSIGNED = ['UTINYINT', 'USMALLINT', 'UINTEGER', 'UBIGINT'];
/** Decimal digits that hold every value of the integer type. */
const DIGITS: Readonly<Record<string, number>> = {
  TINYINT: 3,
  SMALLINT: 5,
  INTEGER: 10,
  BIGINT: 19,
  UTINYINT: 3,
  USMALLINT: 5,
  UINTEGER: 10,
  UBIGINT: 20,
};
/** Integers that a double holds exactly; of BIGINT it would lose digits. */
const IN_DOUBLE = new Set(['TINYINT', 'SMALLINT', 'INTEGER', 'UTINYINT', 'USMALLINT', 'UINTEGER']);
const TO_TIMESTAMP = ['DATE', 'TIMESTAMP_S', 'TIMESTAMP_MS', 'TIMESTAMP'];
const DECIMAL_DIGITS_MAX = 38;

/** null = they do not go together. Types are DuckDB's text. */
export function widen(a: string, b: string): string | null {
  if (a === b) return a;
  return integers(a, b) ?? floats(a, b) ?? decimals(a, b) ?? times(a, b);
}

function integers(a: string, b: string): string | null {
  for (const family of [SIGNED, UNSIGNED])
    if (family.includes(a) && family.includes(b)) return family[Math.max(family.indexOf(a), family.indexOf(b))] ?? null;
  const [signed, unsigned] = SIGNED.includes(a) ? [a, b] : [b, a];
  if (!SIGNED.includes(signed) || !UNSIGNED.includes(unsigned)) return null;
  // The next larger signed type holds what an unsigned one does.
  return SIGNED[Math.max(SIGNED.indexOf(signed), UNSIGNED.indexOf(unsigned) + 1)] ?? null;
}

function floats(a: string, b: string): string | null {
  const fits = (type: string): boolean => type === 'FLOAT' || type === 'DOUBLE' || IN_DOUBLE.has(type);
  const isFloat = (type: string): boolean => type === 'FLOAT' || type === 'DOUBLE';
  return (isFloat(a) || isFloat(b)) && fits(a) && fits(b) ? 'DOUBLE' : null;
}

function decimals(a: string, b: string): string | null {
  const [left, right] = [decimalOf(a), decimalOf(b)];
  if (left === null || right === null) return null;
  const scale = Math.max(left.scale, right.scale);
  const digits = Math.max(left.digits - left.scale, right.digits - right.scale) + scale;
  return digits <= DECIMAL_DIGITS_MAX ? `DECIMAL(${digits},${scale})` : null;
}

function decimalOf(type: string): { readonly digits: number; readonly scale: number } | null {
  const match = /^DECIMAL\((\d+),(\d+)\)$/.exec(type);
  if (match !== null) return { digits: Number(match[1]), scale: Number(match[2]) };
  const digits = DIGITS[type];
  return digits === undefined ? null : { digits, scale: 0 };
}

function times(a: string, b: string): string | null {
  return TO_TIMESTAMP.includes(a) && TO_TIMESTAMP.includes(b) ? 'TIMESTAMP' : null;
}
