/** Which values a column can be compared with, and an attribute's text as such a value. */
import type { Column, Scalar } from '../model.ts';
import { foldName } from '../names.ts';

/** `other` (lists, blobs, UUIDs, enums, …) may only be tested for NULL. */
export type TypeClass = 'text' | 'number' | 'boolean' | 'date' | 'timestamp' | 'other';

const NUMBER = /^(U?(TINYINT|SMALLINT|INTEGER|BIGINT|HUGEINT)|FLOAT|DOUBLE|DECIMAL\(\d+,\s*\d+\))$/;
const TIMESTAMP = /^TIMESTAMP(_S|_MS|_NS| WITH TIME ZONE)?$/;

/** From DuckDB's type text. */
export function typeClass(type: string): TypeClass {
  if (type === 'VARCHAR') return 'text';
  if (type === 'BOOLEAN') return 'boolean';
  if (type === 'DATE') return 'date';
  if (NUMBER.test(type)) return 'number';
  return TIMESTAMP.test(type) ? 'timestamp' : 'other';
}

/** null for an attribute, which takes the class of what it meets; undefined for a column that does not exist. */
export function scalarClass(scalar: Scalar, columns: ReadonlyMap<string, Column>): TypeClass | null | undefined {
  switch (scalar.kind) {
    case 'attribute':
      return null;
    case 'column': {
      const column = columns.get(foldName(scalar.name));
      return column && typeClass(column.type);
    }
    case 'literal':
      return literalClass(scalar);
    case 'call':
      return callClass(scalar.function);
  }
}

/** The class a function's argument must have; null when it takes none. */
export function argumentClass(name: Extract<Scalar, { kind: 'call' }>['function']): readonly TypeClass[] {
  if (name === 'current_date') return [];
  return name === 'year' || name === 'month' ? ['date', 'timestamp'] : ['text'];
}

export function comparable(a: TypeClass, b: TypeClass): boolean {
  const time = (each: TypeClass): boolean => each === 'date' || each === 'timestamp';
  return a !== 'other' && (a === b || (time(a) && time(b)));
}

/** An attribute's text as a literal of the class; null when it is not such a value. */
export function readAttribute(text: string, target: TypeClass): Scalar | null {
  switch (target) {
    case 'text':
      return { kind: 'literal', value: text };
    case 'number':
      return readNumber(text);
    case 'boolean':
      return text === 'true' || text === 'false' ? { kind: 'literal', value: text === 'true' } : null;
    case 'date':
      return isDate(text) ? { kind: 'literal', value: text, type: 'DATE' } : null;
    case 'timestamp':
      return readTimestamp(text);
    case 'other':
      return null;
  }
}

function literalClass(scalar: Extract<Scalar, { kind: 'literal' }>): TypeClass {
  if (scalar.type === 'DATE') return 'date';
  if (scalar.type === 'TIMESTAMP') return 'timestamp';
  if (typeof scalar.value === 'string') return 'text';
  return typeof scalar.value === 'boolean' ? 'boolean' : 'number';
}

function callClass(name: Extract<Scalar, { kind: 'call' }>['function']): TypeClass {
  if (name === 'current_date') return 'date';
  return name === 'year' || name === 'month' ? 'number' : 'text';
}

/** At most 18 digits, so that every numeric type of the engine takes the literal. */
function readNumber(text: string): Scalar | null {
  if (/^-?\d{1,18}$/.test(text)) {
    const value = BigInt(text);
    return { kind: 'literal', value: Number.isSafeInteger(Number(value)) ? Number(value) : value };
  }
  return /^-?\d{1,12}\.\d{1,6}$/.test(text) ? { kind: 'literal', value: Number(text) } : null;
}

function isDate(text: string): boolean {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(text) || text.startsWith('0000')) return false;
  const time = Date.parse(`${text}T00:00:00Z`);
  return !Number.isNaN(time) && new Date(time).toISOString().startsWith(text);
}

function readTimestamp(text: string): Scalar | null {
  const parts = /^(\d{4}-\d{2}-\d{2})([T ]([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,6})?)?$/.exec(text);
  if (parts?.[1] === undefined || !isDate(parts[1])) return null;
  return { kind: 'literal', value: parts[2] === undefined ? `${text} 00:00:00` : text.replace('T', ' '), type: 'TIMESTAMP' };
}
