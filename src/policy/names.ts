/**
 * Objects that grants and rules name, and how they match. Names fold like DuckDB's: ASCII letters without case,
 * everything else byte for byte. `*` stands for any run of characters inside one part.
 */
import type { Column, Dataset } from '../model.ts';
import { foldName } from '../names.ts';

/** What a grant's object covers. */
export type ObjectPattern =
  | { readonly kind: 'all' }
  | { readonly kind: 'dataset'; readonly schema: string; readonly name: string }
  | { readonly kind: 'tag'; readonly tag: string }
  | { readonly kind: 'column'; readonly schema: string; readonly name: string; readonly column: string }
  | { readonly kind: 'columnTag'; readonly tag: string };

/** Anchored at both ends, linear in practice: it backtracks to the last `*` only. */
export function matchesPattern(name: string, pattern: string): boolean {
  const text = foldName(name);
  const glob = foldName(pattern);
  let t = 0;
  let g = 0;
  let star = -1;
  let resume = 0;
  while (t < text.length) {
    if (g < glob.length && glob[g] === '*') {
      star = g++;
      resume = t;
    } else if (g < glob.length && glob[g] === text[t]) {
      g++;
      t++;
    } else if (star >= 0) {
      g = star + 1;
      t = ++resume;
    } else return false;
  }
  while (glob[g] === '*') g++;
  return g === glob.length;
}

/** null when the text is none of the five forms. A column keeps any dots behind the second one. */
export function parseObject(object: string): ObjectPattern | null {
  if (object === '*') return { kind: 'all' };
  if (object.startsWith('tag:')) return object.length > 4 ? { kind: 'tag', tag: object.slice(4) } : null;
  if (object.startsWith('column-tag:')) return object.length > 11 ? { kind: 'columnTag', tag: object.slice(11) } : null;
  const [schema, name, ...rest] = object.split('.');
  if (!schema || !name || object.includes(':')) return null;
  if (rest.length === 0) return { kind: 'dataset', schema, name };
  const column = rest.join('.');
  return column === '' ? null : { kind: 'column', schema, name, column };
}

/** The object covers the whole dataset. */
export function coversDataset(pattern: ObjectPattern, dataset: Dataset): boolean {
  switch (pattern.kind) {
    case 'all':
      return true;
    case 'tag':
      return dataset.tags.includes(pattern.tag);
    case 'dataset':
      return namesDataset(pattern, dataset);
    default:
      return false;
  }
}

/** The object covers this column by itself, not through its dataset. */
export function coversColumn(pattern: ObjectPattern, dataset: Dataset, column: Column): boolean {
  if (pattern.kind === 'columnTag') return column.tags.includes(pattern.tag);
  if (pattern.kind !== 'column') return false;
  return namesDataset(pattern, dataset) && matchesPattern(column.name, pattern.column);
}

/** `schema.name` patterns of a rule's scope; `*` alone is everything. */
export function matchesAnyDataset(patterns: readonly string[], dataset: Dataset): boolean {
  return patterns.some((text) => {
    const pattern = parseObject(text);
    return pattern !== null && coversDataset(pattern, dataset);
  });
}

function namesDataset(pattern: { readonly schema: string; readonly name: string }, dataset: Dataset): boolean {
  return matchesPattern(dataset.schema, pattern.schema) && matchesPattern(dataset.name, pattern.name);
}
