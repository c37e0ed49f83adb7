/** How names compare, everywhere: the engine folds ASCII letters only, and a gate that folded more would take one name for another. */

/** ASCII lower case, as DuckDB compares identifiers. */
export function foldName(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
}

/** Order by UTF-16 code units, the same on every machine. */
export function compareText(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}

/**
 * Before every subject and group that an OpenID provider names. Names in users.yaml hold no colon, so whatever the provider
 * calls somebody, it is no local user and no local group; a policy names them in full: `user:oidc:…`, `group:oidc:…`.
 */
export const OIDC_PREFIX = 'oidc:';
