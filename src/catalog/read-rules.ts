/** rules.yaml: row filters and masks. Both lists must be there, so that a cut-off file is not taken for fewer rules. */
import type { Mask, MaskRule, Predicate, RowFilterRule, RuleScope } from '../model.ts';
import { wordFault } from './identifiers.ts';
import type { Position, Problems } from './problems.ts';
import { readMask } from './read-mask.ts';
import { type Fields, readYaml, type YamlNode } from './yaml-node.ts';

export interface RulesDraft {
  readonly rowFilters: readonly RowFilterRule[];
  readonly masks: readonly MaskRule[];
  /** By `filter <id>` and `mask <id>`. */
  readonly positions: ReadonlyMap<string, Position>;
}

export const RULES_FILE = 'rules.yaml';

const FILTER_KEYS = ['id', 'roles', 'exceptRoles', 'datasets', 'tags', 'grants', 'restrictive', 'filter'] as const;
const MASK_KEYS = ['id', 'roles', 'exceptRoles', 'datasets', 'tags', 'grants', 'columns', 'mask'] as const;
const SCOPE_KEYS = ['roles', 'exceptRoles', 'datasets', 'tags', 'grants'] as const;

/** `parsePredicate` rejects on text outside the filter language. */
export async function readRules(
  text: string,
  parsePredicate: (text: string) => Promise<Predicate>,
  problems: Problems,
): Promise<RulesDraft> {
  const positions = new Map<string, Position>();
  const root = readYaml(RULES_FILE, text, problems);
  const fields = root?.fields(['rowFilters', 'masks'], ['rowFilters', 'masks']);
  const filters = (fields?.get('rowFilters')?.items() ?? []).map((node) => readFilter(node, parsePredicate, positions));
  const masks = (fields?.get('masks')?.items() ?? []).map((node) => readMaskRule(node, positions));
  const isThere = <T>(rule: T | undefined): rule is T => rule !== undefined;
  return { rowFilters: (await Promise.all(filters)).filter(isThere), masks: masks.filter(isThere), positions };
}

async function readFilter(
  node: YamlNode,
  parsePredicate: (text: string) => Promise<Predicate>,
  positions: Map<string, Position>,
): Promise<RowFilterRule | undefined> {
  const fields = node.fields(FILTER_KEYS, ['id', 'filter']);
  const id = readId('filter', fields.get('id'), positions);
  const scope = readScope(fields);
  const restrictive = fields.get('restrictive')?.flag() ?? false;
  const text = fields.get('filter')?.text();
  if (id === undefined || text === undefined) return undefined;
  try {
    return { id, ...scope, restrictive, filter: await parsePredicate(text) };
  } catch (error) {
    return fields
      .get('filter')
      ?.problem(`row filter ${id} is not in the filter language: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function readMaskRule(node: YamlNode, positions: Map<string, Position>): MaskRule | undefined {
  const fields = node.fields(MASK_KEYS, ['id', 'mask']);
  const id = readId('mask', fields.get('id'), positions);
  const scope = readScope(fields);
  const columns = readNames(fields.get('columns'));
  const mask = fields.get('mask');
  const treatment: Mask | { readonly kind: 'hide' } | undefined = mask && readMask(mask);
  if (id === undefined || treatment === undefined) return undefined;
  return { id, ...scope, ...(columns === undefined ? {} : { columns }), treatment };
}

function readId(kind: 'filter' | 'mask', node: YamlNode | undefined, positions: Map<string, Position>): string | undefined {
  const id = node?.text();
  if (node === undefined || id === undefined) return undefined;
  const fault = wordFault(id);
  if (fault !== null) return node.problem(fault);
  const known = positions.get(`filter ${id}`) ?? positions.get(`mask ${id}`);
  if (known !== undefined) return node.problem(`rule ${id} is there twice, first in line ${known.line}`);
  positions.set(`${kind} ${id}`, node.position);
  return id;
}

function readScope(fields: Fields<(typeof SCOPE_KEYS)[number]>): RuleScope {
  const scope: Partial<Record<(typeof SCOPE_KEYS)[number], readonly string[]>> = {};
  for (const key of SCOPE_KEYS) {
    const names = readNames(fields.get(key));
    if (names !== undefined) scope[key] = names;
  }
  return scope;
}

/** An empty list would match nothing, so the rule would be off without anybody seeing it. */
function readNames(node: YamlNode | undefined): readonly string[] | undefined {
  if (node === undefined) return undefined;
  const names = node.texts();
  if (node.isList && names.length === 0) node.problem('the list is empty; leave the key out to mean everything');
  return names;
}
