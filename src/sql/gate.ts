/** The gate: a deny-by-default walk over DuckDB's own AST. What no rule names is refused. */

import { fail } from '../errors.ts';
import type { Dataset } from '../model.ts';
import { type Json, nodesOf, object, onlyStatement } from './ast.ts';
import { visitNode } from './gate-nodes.ts';
import { classify } from './leakproof.ts';
import { checkSizes } from './sizes.ts';
import type { CatalogReference, GatedTable, GateOptions, Walk } from './walk.ts';

export interface GatedStatement {
  /** Every reference, in the order of the walk. */
  readonly tables: readonly GatedTable[];
  /** Each dataset once. */
  readonly datasets: readonly Dataset[];
  readonly columnReferences: readonly CatalogReference[];
  /** Lower-case names of all functions called. */
  readonly functions: ReadonlySet<string>;
  /** No function or operator can fail on a row that a filter hides; casts are judged by unsafeCasts on the bound plan (docs/decisions/002). */
  readonly leakproof: boolean;
  readonly notLeakproof: readonly string[];
}

/** Rejects with sql.refused, sql.limit, sql.empty or dataset.unknown. Run before any bind: binding has side effects. */
export function gateStatement(ast: unknown, options: GateOptions): GatedStatement {
  const statement = onlyStatement(ast);
  const walk = newWalk(options);
  walk.seen.add(statement);
  for (const key of Object.keys(statement)) {
    if (key !== 'node' && key !== 'named_param_map') fail('sql.refused', `the statement has an unexpected part ${JSON.stringify(key)}`);
  }
  const root = object(statement['node']);
  visitNode(walk, root, new Map());
  checkComplete(root, walk);
  checkSizes(root, options.limits);
  const datasets = [...new Map(walk.tables.map(({ dataset }) => [dataset.id, dataset])).values()];
  const notLeakproof = classify(root, datasets);
  return {
    tables: walk.tables,
    datasets,
    columnReferences: walk.columnReferences,
    functions: walk.functions,
    leakproof: notLeakproof.length === 0,
    notLeakproof,
  };
}

function newWalk(options: GateOptions): Walk {
  return { options, seen: new WeakSet(), tables: [], columnReferences: [], functions: new Set(), query: visitNode, depth: 0, nodes: 0 };
}

/** A second, independent look: every object of the JSON must have been visited by a rule. */
function checkComplete(root: Json, walk: Walk): void {
  for (const node of nodesOf(root)) if (!walk.seen.has(node)) fail('sql.refused', 'the statement uses syntax that is not allowed');
}
