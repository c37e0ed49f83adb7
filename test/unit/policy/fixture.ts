/** Snapshots for policy tests: three small datasets, and policy text read by the product's own readers. */
import { Problems } from '#src/catalog/problems.js';
import { readPolicy } from '#src/catalog/read-policy.js';
import { readRules } from '#src/catalog/read-rules.js';
import { createAnalyzer } from '#src/engine/index.js';
import type { Column, Dataset, Predicate, Principal, Snapshot } from '#src/model.js';
import { toPredicate } from '#src/sql/index.js';

function column(name: string, type: string, ...tags: string[]): Column {
  return { name, type, tags };
}

function table(schema: string, name: string, tags: readonly string[], columns: readonly Column[]): Dataset {
  return {
    id: `${schema}.${name}`,
    schema,
    name,
    tags,
    columns,
    source: { kind: 'parquet', connection: 'lake', path: `/lake/${schema}/${name}.parquet`, hivePartitioning: false },
  };
}

export const PEOPLE: Dataset = table(
  'demo',
  'people',
  ['personal'],
  [
    column('id', 'BIGINT'),
    column('name', 'VARCHAR'),
    column('email', 'VARCHAR', 'pii', 'email'),
    column('ssn', 'VARCHAR', 'pii', 'ssn'),
    column('born', 'DATE', 'birth'),
    column('seen', 'TIMESTAMP'),
    column('region', 'VARCHAR'),
    column('level', 'INTEGER'),
    column('active', 'BOOLEAN'),
    column('balance', 'DECIMAL(12,2)', 'money'),
  ],
);
export const ORDERS: Dataset = table(
  'demo',
  'orders',
  ['personal', 'sales'],
  [column('order_id', 'BIGINT'), column('region', 'VARCHAR'), column('amount', 'DECIMAL(10,2)'), column('card', 'VARCHAR', 'pii', 'card')],
);
export const LOG: Dataset = table('other', 'log', [], [column('id', 'BIGINT'), column('line', 'VARCHAR')]);

export const TAGS: ReadonlySet<string> = new Set(['personal', 'sales', 'pii', 'email', 'ssn', 'birth', 'money', 'card', 'unused']);

const EMPTY: Snapshot = {
  epoch: 1,
  contentHash: 'content',
  catalogName: 'lab',
  defaultSchema: 'demo',
  scratchSchema: null,
  connections: [{ kind: 'local', name: 'lake', directory: '/lake' }],
  datasets: [PEOPLE, ORDERS, LOG],
  users: [],
  model: '',
  memberships: [],
  grants: [],
  rowFilters: [],
  masks: [],
  problems: [],
};

const analyzer = createAnalyzer();

/** The product's own filter language. */
export async function parsePredicate(text: string): Promise<Predicate> {
  return toPredicate(await (await analyzer).parse(`SELECT 1 WHERE (\n${text}\n)`));
}

/** `policy` as in policy.csv, `rules` as in rules.yaml (either list may be left out). Throws on a syntax problem. */
export async function snapshotOf(policy: string, rules: string = '', more: Partial<Snapshot> = {}): Promise<Snapshot> {
  const problems = new Problems();
  const { grants, memberships } = readPolicy(policy, problems);
  const text = `${rules.includes('rowFilters:') ? '' : 'rowFilters: []\n'}${rules.includes('masks:') ? '' : 'masks: []\n'}${rules}`;
  const { rowFilters, masks } = await readRules(text, parsePredicate, problems);
  if (problems.list.length > 0) throw new Error(problems.list.join('\n'));
  return { ...EMPTY, grants, memberships, rowFilters, masks, ...more };
}

/** `attributes` may hold single values. */
export function principal(
  subject: string,
  attributes: Readonly<Record<string, string | readonly string[]>> = {},
  groups: readonly string[] = [],
): Principal {
  const lists = Object.entries(attributes).map(([name, value]) => [name, typeof value === 'string' ? [value] : value] as const);
  return { subject, groups, attributes: Object.fromEntries(lists) };
}
