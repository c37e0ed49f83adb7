/** A result's schema with the metadata of its columns: where a column is a dataset's own, it says so. */
import { Schema } from 'apache-arrow';
import type { Description } from '../engine/index.ts';
import type { Dataset, Snapshot } from '../model.ts';
import { foldName } from '../names.ts';
import type { PrincipalPolicy } from '../policy/index.ts';
import type { Bound } from './bind.ts';
import { type Origin, withMetadata } from './column-metadata.ts';

export function describedSchema(description: Description, bound: Bound, snapshot: Snapshot, rights: PrincipalPolicy): Schema {
  const { fields } = description.schema;
  const origins = new Origins(bound, snapshot, rights).of(bound.ast);
  const known = origins !== null && origins.length === fields.length;
  return new Schema(fields.map((field, i) => withMetadata(field, description.columns[i]?.type ?? '', (known ? origins[i] : null) ?? null)));
}

type Node = Readonly<Record<string, unknown>>;

/** A relation in FROM; `columns` null = not a dataset. */
interface Relation {
  readonly names: readonly string[];
  readonly columns: readonly Origin[] | null;
}

/** Reads the one SELECT at the top. What it does not know has no origin; nothing is decided by it. */
class Origins {
  readonly #bound: Bound;
  readonly #snapshot: Snapshot;
  readonly #rights: PrincipalPolicy;

  constructor(bound: Bound, snapshot: Snapshot, rights: PrincipalPolicy) {
    this.#bound = bound;
    this.#snapshot = snapshot;
    this.#rights = rights;
  }

  /** One per result column; null when the columns can not be counted. */
  of(ast: unknown): readonly (Origin | null)[] | null {
    const root = node(node(listOf(node(ast)['statements'])[0])['node']);
    if (root['type'] !== 'SELECT_NODE') return null;
    const relations = this.#relations(node(root['from_table']));
    const columns: (Origin | null)[] = [];
    for (const item of listOf(root['select_list']).map(node)) {
      const found = item['class'] === 'STAR' ? star(item, relations) : [reference(item, relations)];
      if (found === null) return null;
      columns.push(...found);
    }
    return columns;
  }

  #relations(ref: Node): readonly Relation[] {
    switch (ref['type']) {
      case 'BASE_TABLE':
        return [this.#table(ref)];
      case 'JOIN': {
        const merged = ref['ref_type'] === 'NATURAL' || listOf(ref['using_columns']).length > 0;
        const both = [...this.#relations(node(ref['left'])), ...this.#relations(node(ref['right']))];
        // A merged column belongs to neither side alone, and a star counts it once.
        return merged ? both.map(({ names }) => ({ names, columns: null })) : both;
      }
      case 'EMPTY':
        return [];
      default:
        return [{ names: [foldName(String(ref['alias'] ?? ''))], columns: null }];
    }
  }

  #table(ref: Node): Relation {
    const alias = String(ref['alias'] ?? '');
    const dataset = this.#bound.gated.tables.find(({ location }) => location >= 0 && location === ref['query_location'])?.dataset;
    const renamed = listOf(ref['column_name_alias']).length > 0;
    const name = foldName(alias === '' ? String(ref['table_name']) : alias);
    return { names: [name], columns: dataset === undefined || renamed ? null : this.#visible(dataset) };
  }

  #visible(dataset: Dataset): readonly Origin[] {
    const decision = this.#rights.decide(dataset);
    const decided = new Map(decision.effect === 'allow' ? decision.columns.map(({ name, treatment }) => [name, treatment.kind]) : []);
    return dataset.columns
      .filter(({ name }) => decided.has(name) && decided.get(name) !== 'hidden')
      .map((column) => ({ catalogName: this.#snapshot.catalogName, dataset, column }));
  }
}

function star(item: Node, relations: readonly Relation[]): readonly (Origin | null)[] | null {
  const altered = ['exclude_list', 'replace_list', 'qualified_exclude_list', 'rename_list'].some((field) => listOf(item[field]).length > 0);
  if (altered || item['columns'] === true || (item['expr'] ?? null) !== null) return null;
  const wanted = foldName(String(item['relation_name'] ?? ''));
  const meant = wanted === '' ? relations : relations.filter(({ names }) => names.includes(wanted));
  const columns = meant.map((relation) => relation.columns);
  return columns.some((list) => list === null) ? null : columns.flatMap((list) => list ?? []);
}

function reference(item: Node, relations: readonly Relation[]): Origin | null {
  if (item['class'] !== 'COLUMN_REF') return null;
  const parts = listOf(item['column_names']).map((part) => foldName(String(part)));
  const column = parts.at(-1);
  const table = parts.at(-2);
  const meant = table === undefined ? relations : relations.filter(({ names }) => names.includes(table));
  if (meant.some(({ columns }) => columns === null)) return null;
  const found = meant.flatMap(({ columns }) => columns ?? []).filter((origin) => foldName(origin.column.name) === column);
  return found.length === 1 ? (found[0] ?? null) : null;
}

function node(value: unknown): Node {
  return typeof value === 'object' && value !== null ? (value as Node) : {};
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
