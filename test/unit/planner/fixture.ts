/** A planner over a snapshot made here: no file of it exists, so every plan proves that none is read (invariant I4); files are listed by name only. */
import { type Analyzer, createAnalyzer } from '#src/engine/index.js';
import { type Dataset, type MaskRule, PLAIN_FORM, type Principal, type RowFilterRule, type Snapshot } from '#src/model.js';
import { createPlanner, type Planner, type ResultOptions } from '#src/planner/index.js';
import { compilePolicy, type Policy } from '#src/policy/index.js';
import { DEFAULT_SQL_LIMITS, functionAllowList } from '#src/sql/index.js';
import { createSealer, decodeTicket, type Sealer, type Ticket } from '#src/wire/index.js';

const MODEL: string = await import('node:fs').then(({ readFileSync }) =>
  readFileSync(new URL('../../../policies/quickstart/model.conf', import.meta.url), 'utf8'),
);

const table = (name: string, columns: Readonly<Record<string, string>>): Dataset => ({
  id: `d-${name}`,
  schema: 'demo',
  name,
  tags: [],
  columns: Object.entries(columns).map(([column, type]) => ({ name: column, type, tags: [] })),
  source: { kind: 'parquet', connection: 'lake', path: `/nowhere/secret-path/${name}.parquet`, hivePartitioning: false },
});

const view = (name: string, sql: string, columns: Readonly<Record<string, string>>): Dataset => ({
  ...table(name, columns),
  source: { kind: 'view', sql },
});

const ownTable = (subject: string, name: string, columns: Readonly<Record<string, string>>): Dataset => ({
  ...table(name, columns),
  id: `scratch:${subject}-${name}`,
  schema: 'scratch',
  owner: { subject, lineage: [] },
});

export const DATASETS: readonly Dataset[] = [
  table('people', { id: 'BIGINT', name: 'VARCHAR', email: 'VARCHAR', region: 'VARCHAR', salary: 'DECIMAL(12,2)', born: 'DATE' }),
  table('sales', { id: 'BIGINT', person: 'BIGINT', amount: 'DOUBLE' }),
  table('vault', { secret: 'VARCHAR' }),
  view('people_sales', 'SELECT p.name, p.region, s.amount FROM demo.people p JOIN demo.sales s ON s.person = p.id', {
    name: 'VARCHAR',
    region: 'VARCHAR',
    amount: 'DOUBLE',
  }),
  view('odd_view', "SELECT regexp_replace(name, '(' || region, 'x') AS x FROM demo.people", { x: 'VARCHAR' }),
  view('ring_a', 'SELECT x FROM demo.ring_b', { x: 'VARCHAR' }),
  view('ring_b', 'SELECT x FROM demo.ring_a', { x: 'VARCHAR' }),
  ownTable('ana', 'notes', { id: 'BIGINT', note: 'VARCHAR', day: 'DATE' }),
  ownTable('boss', 'notes', { secret: 'VARCHAR' }),
  ownTable('boss', 'plans', { secret: 'VARCHAR' }),
];

const rowFilters: readonly RowFilterRule[] = [
  {
    id: 'own-region',
    roles: ['analyst'],
    datasets: ['demo.people'],
    restrictive: false,
    filter: {
      kind: 'and',
      operands: [
        { kind: 'in', value: { kind: 'column', name: 'region' }, list: [{ kind: 'attribute', name: 'region' }] },
        { kind: 'compare', op: '<', left: { kind: 'column', name: 'salary' }, right: { kind: 'literal', value: 99 } },
      ],
    },
  },
];

const masks: readonly MaskRule[] = [
  { id: 'no-salary', roles: ['analyst'], columns: ['salary'], treatment: { kind: 'hide' } },
  { id: 'mail', roles: ['analyst'], columns: ['email'], treatment: { kind: 'email' } },
];

export const SNAPSHOT: Snapshot = {
  epoch: 7,
  contentHash: '00',
  catalogName: 'lake',
  defaultSchema: 'demo',
  scratchSchema: 'scratch',
  connections: [],
  datasets: DATASETS,
  users: [{ name: 'ana', passwordHash: '', groups: [], attributes: { region: ['EU'] } }],
  model: MODEL,
  memberships: [
    ['user:ana', 'analyst'],
    ['user:boss', 'boss'],
    ['user:olga', 'auditor'],
  ],
  grants: [
    { id: 'a1', role: 'analyst', object: 'demo.people', action: 'select', effect: 'allow' },
    { id: 'a2', role: 'analyst', object: 'demo.people_sales', action: 'select', effect: 'allow' },
    { id: 'a3', role: 'analyst', object: 'demo.odd_view', action: 'select', effect: 'allow' },
    { id: 'a4', role: 'analyst', object: 'demo.ring_a', action: 'select', effect: 'allow' },
    { id: 'a5', role: 'analyst', object: 'scratch.*', action: 'create', effect: 'allow' },
    { id: 'b1', role: 'boss', object: 'demo.*', action: 'select', effect: 'allow' },
    { id: 'b2', role: 'boss', object: '*', action: 'operate', effect: 'allow' },
    { id: 'o1', role: 'auditor', object: '*', action: 'audit', effect: 'allow' },
    { id: 'o2', role: 'auditor', object: 'demo.people', action: 'describe', effect: 'allow' },
  ],
  rowFilters,
  masks,
  problems: [],
};

export const ana: Principal = { subject: 'ana', groups: [], attributes: { region: ['EU'] } };
export const boss: Principal = { subject: 'boss', groups: [], attributes: {} };
export const olga: Principal = { subject: 'olga', groups: [], attributes: {} };

/** What a client without wishes gets. */
export const OPTIONS: ResultOptions = { schema: null, form: PLAIN_FORM, endpointsMax: 1, readsInOrder: true };

export interface PlannerFixture extends AsyncDisposable {
  readonly planner: Planner;
  readonly analyzer: Analyzer;
  readonly sealer: Sealer;
  clockMs: number;
  /** The policy in force; assign another to change it. */
  policy: Policy;
  open(ticket: Uint8Array | undefined): Ticket;
}

export async function createPlannerFixture(): Promise<PlannerFixture> {
  const analyzer = await createAnalyzer();
  const policy = await compilePolicy(SNAPSHOT);
  const sealer = createSealer([{ id: '1', key: new Uint8Array(32).fill(1) }]);
  const fixture: PlannerFixture = {
    analyzer,
    sealer,
    clockMs: 1_000_000,
    policy,
    planner: createPlanner({
      analyzer,
      functions: functionAllowList(await analyzer.functions()),
      limits: DEFAULT_SQL_LIMITS,
      files: { list: async (_, { source }) => [{ path: 'path' in source ? source.path : '', bytes: 1, version: '1' }] },
      split: { rowFunctions: new Set(), bytesMin: 0 },
      policy: async () => fixture.policy,
      sealer,
      cluster: 'local',
      ticketTtlMs: 1000,
      preparedTtlMs: 5000,
      now: () => fixture.clockMs,
    }),
    open: (ticket) => decodeTicket(sealer.open('ticket', ticket ?? new Uint8Array())),
    [Symbol.asyncDispose]: () => analyzer[Symbol.asyncDispose](),
  };
  return fixture;
}
