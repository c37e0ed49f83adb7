/** The only places where names and values become SQL text. */
import { fail } from '../errors.ts';
import { hasControl, hasLoneSurrogate } from './limits.ts';

export function identifier(name: string): string {
  if (name === '' || hasControl(name, false) || hasLoneSurrogate(name))
    fail('policy.invalid', 'a name is empty or holds control characters');
  return `"${name.replaceAll('"', '""')}"`;
}

/** Dotted and quoted. */
export function qualified(...parts: readonly string[]): string {
  return parts.map(identifier).join('.');
}

/** NUL would cut the statement short in the engine's C interface. */
export function stringLiteral(value: string): string {
  if (value.includes('\0') || hasLoneSurrogate(value)) fail('policy.invalid', 'a text value holds a NUL or is not valid Unicode');
  return `'${value.replaceAll("'", "''")}'`;
}

export function numberLiteral(value: number | bigint): string {
  if (typeof value === 'number' && !Number.isFinite(value)) fail('policy.invalid', 'a number is not finite');
  const digits = typeof value === 'bigint' || Number.isInteger(value) ? BigInt(value).toString() : String(value);
  return `(${digits})`;
}

/** The type with another name in place of each enum: the values of an enum are values of rows, hidden ones too. */
export function replaceEnums(type: string, by: string): string {
  return type.replaceAll(/"(?:[^"]|"")*"|'(?:[^']|'')*'|\bENUM\((?:[^')]|'(?:[^']|'')*')*\)/g, (token) =>
    token.startsWith('ENUM(') ? by : token,
  );
}

const TYPE_TOKENS = /^(?:[A-Za-z_][A-Za-z0-9_]*|"(?:[^"]|"")+"|'(?:[^']|'')*'|[0-9]+|[(),[\] ])+$/;

/** Type text of the catalog; it goes into SQL as it is, so its tokens are checked. Throws policy.invalid. */
export function typeText(type: string): string {
  if (!TYPE_TOKENS.test(type) || hasControl(type, false) || !balanced(type))
    fail('policy.invalid', 'a column type does not read as a type');
  return type;
}

function balanced(type: string): boolean {
  let depth = 0;
  for (const token of type.match(/"(?:[^"]|"")+"|'(?:[^']|'')*'|./gs) ?? []) {
    if (token === '(') depth++;
    if (token === ')' && --depth < 0) return false;
    if (token === ',' && depth === 0) return false;
  }
  return depth === 0;
}
