/** How names compare, everywhere: the engine folds ASCII letters only, and a gate that folded more would take one name for another. */

/** ASCII lower case, as DuckDB compares identifiers. */
export function foldName(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
}
