/** How names compare, everywhere: the engine folds ASCII letters only, and a gate that folded more would take one name for another. */

/** ASCII lower case, as DuckDB compares identifiers. */
export function foldName(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
}

/**
 * Before every subject and group that an OpenID provider names. Names in users.yaml hold no colon, so whatever the provider
 * calls somebody, it is no local user and no local group; a policy names them in full: `user:oidc:…`, `group:oidc:…`.
 */
export const OIDC_PREFIX = 'oidc:';
