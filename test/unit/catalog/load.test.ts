import { expect, test } from 'vitest';
import { ColumnCache } from '#src/catalog/columns.js';
import { type LoadOptions, loadSnapshot, readFiles } from '#src/catalog/load.js';
import { checkPolicy } from '#src/policy/index.js';
import { COLUMNS, FILES, makeDirectory } from './fixture.ts';

const options: LoadOptions = {
  parsePredicate: async () => ({ kind: 'boolean', value: true }),
  supportsMask: () => true,
  check: checkPolicy,
  base: { directory: '/policies', variables: new Map([['data', '/srv']]) },
  columns: new ColumnCache(async () => COLUMNS),
};

function load(changes: Readonly<Record<string, string | null>> = {}) {
  const files = Object.entries({ ...FILES, ...changes }).filter((file): file is [string, string] => file[1] !== null);
  return loadSnapshot(new Map(files), options);
}

test('a whole directory becomes one snapshot', async () => {
  const { snapshot, problems } = await load();
  expect(problems).toEqual([]);
  expect(snapshot).toMatchObject({
    epoch: 0,
    catalogName: 'lab',
    defaultSchema: 'demo',
    model: '',
    connections: [{ directory: '/srv/lake' }, { file: '/policies/shop.duckdb' }],
    datasets: [
      {
        id: 'demo.people',
        source: { path: '/srv/lake/people.parquet' },
        columns: [{ name: 'id' }, { name: 'Email', tags: ['pii', 'email'], description: 'Address' }],
      },
      { id: 'demo.things', columns: [{ name: 'id', type: 'INTEGER' }] },
      { id: 'demo.both', columns: [{ name: 'one' }] },
    ],
    users: [{ name: 'ann', attributes: { region: ['EU', 'US'], level: ['007'] } }],
    memberships: [['user:ann', 'reader']],
    grants: [{ id: 'g1' }],
    masks: [{ id: 'm1' }],
  });
});

test('every missing file is named; model.conf may be missing', async () => {
  const { snapshot, problems } = await loadSnapshot(new Map(), options);
  expect(snapshot).toBeNull();
  expect(problems).toEqual(['policy.csv', 'catalog.yaml', 'rules.yaml', 'users.yaml'].map((name) => `${name}: the file is missing`));
});

test('faults between files are refused with their line', async () => {
  const policy = 'p, reader, demo.gone, select, allow, g1\ng, user:gone, reader\ng, user:ann, reader\n';
  const rules = 'rowFilters:\n  - { id: f1, roles: [gone], filter: x }\nmasks:\n  - { id: m1, tags: [gone], mask: hash }\n';
  const { snapshot, problems } = await load({ 'policy.csv': policy, 'rules.yaml': rules, 'model.conf': 'm = true' });
  expect(snapshot).toBeNull();
  expect(problems).toEqual([
    'model.conf: this is not the Casbin model that Sluice enforces; keep it as it is in policies/quickstart',
    'policy.csv:1: grant g1: no dataset is called demo.gone',
    'policy.csv:2: there is no user gone in users.yaml',
    'rules.yaml:2: row filter f1: there is no role gone',
    'rules.yaml:4: mask m1: tag gone is not declared in catalog.yaml',
  ]);
});

test('warnings do not keep a set out of force', async () => {
  const { snapshot, problems } = await load({ 'policy.csv': `${FILES['policy.csv']}p, later, demo.people, select, allow, g2\n` });
  expect(problems).toEqual(['policy.csv:3: warning: grant g2: role later has no member']);
  expect(snapshot?.problems).toEqual(problems);
  expect(snapshot?.datasets.every((dataset) => dataset.broken === undefined)).toBe(true);
});

test('what does not fit a dataset breaks that dataset only', async () => {
  const { snapshot } = await loadSnapshot(new Map(Object.entries(FILES)), { ...options, supportsMask: () => false });
  expect(snapshot?.datasets.map((dataset) => dataset.broken)).toEqual([
    'mask m1: demo.people: mask email does not fit column Email of type VARCHAR',
    undefined,
    undefined,
  ]);
});

test('the content hash is of the files alone', async () => {
  const hash = async (changes: Readonly<Record<string, string>> = {}): Promise<string | undefined> =>
    (await load(changes)).snapshot?.contentHash;
  expect(await hash()).toBe(await hash());
  expect(await hash({ 'policy.csv': `${FILES['policy.csv']}# note\n` })).not.toBe(await hash());
  expect(await hash({ 'model.conf': '' })).not.toBe(await hash());
});

test('bytes that are no UTF-8 are refused', async () => {
  const { snapshot, problems } = await load({ 'policy.csv': `${FILES['policy.csv']}# \uFFFD\n` });
  expect([snapshot, problems]).toEqual([null, ['policy.csv: the file is not UTF-8']]);
});

test('other files of the directory are not read', async () => {
  await using directory = await makeDirectory({ ...FILES, 'README.md': 'x', 'policy.csv.bak': 'x' });
  expect([...(await readFiles(directory.path)).keys()]).toEqual(['catalog.yaml', 'policy.csv', 'rules.yaml', 'users.yaml']);
});
