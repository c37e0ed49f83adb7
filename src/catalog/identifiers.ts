/** Names that a catalog may use. They become SQL identifiers and parts of policy objects. */

const RESERVED = new Set(['main', 'information_schema', 'pg_catalog', 'system', 'temp', 'memory']);
const RESERVED_PREFIXES = ['p_', 'src_', '__', 'duckdb'];
const LENGTH_MAX = 128;

/** Why the name can not be used, or null. Dots, stars and colons belong to policy objects. */
export function identifierFault(name: string): string | null {
  if (name === '' || name.trim() !== name) return 'a name must not be empty or begin or end with a space';
  if (name.length > LENGTH_MAX) return `a name must not be longer than ${LENGTH_MAX} characters`;
  if (/[\p{Cc}\p{Cf}\p{Co}\p{Cs}\p{Zl}\p{Zp}]/u.test(name)) return 'a name must not hold control characters';
  if (/[.*:,"']/.test(name)) return 'a name must not hold . * : , or quotes';
  return name.normalize('NFC') === name ? null : 'a name must be in Unicode normal form C';
}

/** Catalog and schema names must not meet the engine's or Sluice's own. */
export function schemaFault(name: string): string | null {
  const folded = name.toLowerCase();
  if (RESERVED.has(folded) || RESERVED_PREFIXES.some((prefix) => folded.startsWith(prefix))) return `${name} is reserved`;
  return identifierFault(name);
}

/** Roles, rule ids and tags appear in policy.csv: one word. */
export function wordFault(name: string): string | null {
  return /^[\p{L}\p{N}_][\p{L}\p{N}_.@/-]*$/u.test(name) && name.length <= LENGTH_MAX
    ? null
    : `${JSON.stringify(name)} is no name; use letters, digits and _ - . @ /`;
}
