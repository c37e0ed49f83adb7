/** One text per value, the same in every process: object keys sorted, bigints marked. */
import { createHash } from 'node:crypto';

/** JSON with sorted keys; `undefined` fields are left out. */
export function canonicalJson(value: unknown): string {
  if (typeof value === 'bigint') return `{"bigint":"${value}"}`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  return Array.isArray(value) ? `[${value.map(canonicalJson).join(',')}]` : objectJson(value);
}

/** Hex SHA-256 of the canonical text. */
export function canonicalHash(value: unknown): string {
  return createHash('sha256').update(canonicalJson(value)).digest('hex');
}

function objectJson(value: object): string {
  const fields = value as Readonly<Record<string, unknown>>;
  let text = '';
  for (const key of Object.keys(fields).sort()) {
    const field = fields[key];
    if (field !== undefined) text += `${text === '' ? '' : ','}${JSON.stringify(key)}:${canonicalJson(field)}`;
  }
  return `{${text}}`;
}
