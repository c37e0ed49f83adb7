/** Families of column types, from DuckDB's type text. */

export type Family = 'text' | 'integer' | 'decimal' | 'float' | 'boolean' | 'date' | 'timestamp' | 'other';

const INTEGER_BITS: Readonly<Record<string, number>> = {
  TINYINT: 7,
  SMALLINT: 15,
  INTEGER: 31,
  BIGINT: 63,
  HUGEINT: 127,
  UTINYINT: 8,
  USMALLINT: 16,
  UINTEGER: 32,
  UBIGINT: 64,
  UHUGEINT: 128,
};

export function familyOf(type: string): Family {
  const upper = type.trim().toUpperCase();
  if (upper === 'VARCHAR') return 'text';
  if (Object.hasOwn(INTEGER_BITS, upper)) return 'integer';
  if (/^DECIMAL\(\d+,\s*\d+\)$/.test(upper)) return 'decimal';
  if (upper === 'FLOAT' || upper === 'DOUBLE') return 'float';
  if (upper === 'BOOLEAN') return 'boolean';
  if (upper === 'DATE') return 'date';
  if (/^TIMESTAMP(_S|_MS|_NS| WITH TIME ZONE)?$/.test(upper)) return 'timestamp';
  return 'other';
}

/** Bits of the largest positive value. */
export function integerBits(type: string): number {
  return INTEGER_BITS[type.trim().toUpperCase()] ?? 0;
}
