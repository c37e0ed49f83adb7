/** What a principal holds, arranged so that one dataset's part is found without walking every grant (design D11). */

import type { Column, Dataset, Grant } from '../model.ts';
import { foldName } from '../names.ts';
import type { Holdings, Route } from './casbin.ts';
import { coversColumn, coversDataset, type ObjectPattern, parseObject } from './names.ts';

export interface Right<T> {
  readonly held: T;
  readonly pattern: ObjectPattern;
  readonly covers: 'dataset' | 'columns';
}

/** Grants by action; `find` gives those that touch the dataset or a column of it. */
export interface Rights {
  readonly roles: readonly string[];
  routes(action: string, dataset: Dataset): readonly Right<Route>[];
  denials(action: string, dataset: Dataset): readonly Right<Grant>[];
  /** A right on the server itself, such as `audit` on `*`. */
  global(action: string): boolean;
}

export function indexRights(holdings: Holdings): Rights {
  const routes = new ObjectIndex<Route>(holdings.routes, (route) => route.grant);
  const denials = new ObjectIndex<Grant>(holdings.denials, (grant) => grant);
  return {
    roles: holdings.roles,
    routes: (action, dataset) => routes.find(action, dataset),
    denials: (action, dataset) => denials.find(action, dataset),
    global: (action) => routes.everywhere(action) && !denials.everywhere(action),
  };
}

/** The right covers the column, through its dataset or by itself. */
export function coversCell(right: Right<unknown>, dataset: Dataset, column: Column): boolean {
  return right.covers === 'dataset' || coversColumn(right.pattern, dataset, column);
}

interface Entry<T> {
  readonly held: T;
  readonly pattern: ObjectPattern;
}

/** Exact names and tags are looked up; only patterns with `*` are tried one by one. */
class ObjectIndex<T> {
  readonly #byKey = new Map<string, Entry<T>[]>();

  constructor(items: readonly T[], grantOf: (item: T) => Grant) {
    for (const held of items) {
      const grant = grantOf(held);
      const pattern = parseObject(grant.object);
      if (pattern === null) continue;
      const key = `${grant.action} ${keyOf(pattern)}`;
      const entries = this.#byKey.get(key);
      if (entries === undefined) this.#byKey.set(key, [{ held, pattern }]);
      else entries.push({ held, pattern });
    }
  }

  everywhere(action: string): boolean {
    return (this.#byKey.get(`${action} *`) ?? []).some((entry) => entry.pattern.kind === 'all');
  }

  find(action: string, dataset: Dataset): readonly Right<T>[] {
    const tags = new Set([
      ...dataset.tags.map((tag) => `tag:${tag}`),
      ...dataset.columns.flatMap((column) => column.tags.map((tag) => `column-tag:${tag}`)),
    ]);
    const keys = ['*', nameKey(dataset.schema, dataset.name), ...tags];
    const entries = keys.flatMap((key) => this.#byKey.get(`${action} ${key}`) ?? []);
    return entries.flatMap(({ held, pattern }): Right<T>[] => {
      if (coversDataset(pattern, dataset)) return [{ held, pattern, covers: 'dataset' }];
      return dataset.columns.some((column) => coversColumn(pattern, dataset, column)) ? [{ held, pattern, covers: 'columns' }] : [];
    });
  }
}

/** `*` gathers every pattern that has to be tried. */
function keyOf(pattern: ObjectPattern): string {
  switch (pattern.kind) {
    case 'all':
      return '*';
    case 'tag':
      return `tag:${pattern.tag}`;
    case 'columnTag':
      return `column-tag:${pattern.tag}`;
    default:
      return `${pattern.schema}${pattern.name}`.includes('*') ? '*' : nameKey(pattern.schema, pattern.name);
  }
}

function nameKey(schema: string, name: string): string {
  return JSON.stringify([foldName(schema), foldName(name)]);
}
