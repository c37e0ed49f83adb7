/** State of one gate walk and the rules that read single fields. */

import { fail } from '../errors.ts';
import type { Dataset } from '../model.ts';
import { type Json, list, text } from './ast.ts';
import { hasControl, type SqlLimits } from './limits.ts';

export interface GatedTable {
  readonly dataset: Dataset;
  /** The name as written, one to three parts; none for what a table function reads. */
  readonly parts: readonly string[];
  /** Byte offset of the name in the UTF-8 text. */
  readonly location: number;
}

/** A column name of four or more parts, which may start with a catalog. */
export interface CatalogReference {
  readonly parts: readonly string[];
  readonly location: number;
}

export interface GateOptions {
  /** The governed dataset that a name of one to three parts means, or null: missing and hidden alike. */
  readonly resolve: (parts: readonly string[]) => Dataset | null;
  /** From functionAllowList. */
  readonly functions: ReadonlySet<string>;
  /** Whether the statement may ask for its own session and catalog; a steward's view has none. */
  readonly session?: boolean;
  readonly limits: SqlLimits;
}

export interface Walk {
  readonly options: GateOptions;
  readonly seen: WeakSet<Json>;
  readonly tables: GatedTable[];
  readonly columnReferences: CatalogReference[];
  readonly functions: Set<string>;
  /** Visits a query node inside an expression. */
  readonly query: (walk: Walk, node: Json, scope: Scope) => void;
  depth: number;
  /** Parts of the text, and again those of a CTE for each reference to it: what binding the statement costs. */
  nodes: number;
}

export interface ScopedTable {
  /** Also readable as `recurring.name`. */
  readonly recursive: boolean;
  /** Parts below the CTE, with those of the CTEs it reads. */
  readonly nodes: number;
}

/** CTEs in scope by lower-case name. */
export type Scope = ReadonlyMap<string, ScopedTable>;

/** What may stand in one field of one kind of node. */
export type Rule = (walk: Walk, value: unknown, scope: Scope) => void;
export type Shape = Readonly<Record<string, Rule>>;

/** Applies a rule to each field; a field without a rule is refused. */
export function applyShape(walk: Walk, node: Json, shape: Shape, scope: Scope, what: string): void {
  walk.seen.add(node);
  countNodes(walk, 1);
  if (++walk.depth > walk.options.limits.depth) fail('sql.limit', `the statement is nested deeper than ${walk.options.limits.depth}`);
  for (const [field, value] of Object.entries(node)) {
    const rule = Object.hasOwn(shape, field) ? shape[field] : undefined;
    if (rule === undefined) fail('sql.refused', `${what} has a part that is not allowed: ${JSON.stringify(field)}`);
    rule(walk, value, scope);
  }
  walk.depth--;
}

export function countNodes(walk: Walk, nodes: number): void {
  walk.nodes += nodes;
  const { nodes: most } = walk.options.limits;
  if (walk.nodes > most) fail('sql.limit', `the statement has more than ${most} parts, counting a WITH table for each reference to it`);
}

/** Names may hold any printable text; control characters and overlong names are refused. */
export const name: Rule = (_walk, value) => {
  const identifier = text(value);
  if (hasControl(identifier, false)) fail('sql.refused', 'a name holds control characters');
  if (identifier.length > 255) fail('sql.limit', 'a name is longer than 255 characters');
};

export const names: Rule = (walk, value, scope) => {
  for (const item of list(value)) name(walk, item, scope);
};

/** A flag, number or keyword that carries no structure. */
export const plain: Rule = (_walk, value) => {
  if (typeof value === 'object' && value !== null) fail('sql.refused', 'the statement has an unexpected form');
};

/** Numbers only, at any nesting (grouping sets). */
export const numbers: Rule = (walk, value, scope) => {
  if (Array.isArray(value)) for (const item of value) numbers(walk, item, scope);
  else if (typeof value !== 'number') fail('sql.refused', 'the statement has an unexpected form');
};

/** Syntax that is refused whenever it is used. */
export function unused(what: string): Rule {
  return (_walk, value) => {
    const used = value !== null && value !== false && value !== '' && !(Array.isArray(value) && value.length === 0);
    if (used) fail('sql.refused', `${what} is not allowed`);
  };
}

export function oneOf(what: string, values: readonly string[]): Rule {
  const allowed = new Set(values);
  return (_walk, value) => {
    if (typeof value !== 'string' || !allowed.has(value)) fail('sql.refused', `${what} ${JSON.stringify(value)} is not allowed`);
  };
}
