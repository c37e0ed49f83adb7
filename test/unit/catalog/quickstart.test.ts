/** The demo's policy directory, and the one that its README teaches. */
import { scryptSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { createFileStore, type FileStore } from '#src/catalog/index.js';
import type { ResolvedColumns } from '#src/catalog/types.js';
import { createAnalyzer } from '#src/engine/index.js';
import { checkPolicy, compilePolicy, describeMask, describePredicate } from '#src/policy/index.js';
import { supportsMask, toPredicate } from '#src/sql/index.js';
import { hash, makeDirectory } from './fixture.ts';

const QUICKSTART = 'policies/quickstart';

const COLUMNS: ResolvedColumns = new Map(
  Object.entries({
    'demo.customers':
      'customer_id BIGINT, name VARCHAR, email VARCHAR, phone VARCHAR, ssn VARCHAR, birth_date DATE, region VARCHAR, balance DECIMAL(12,2)',
    'demo.orders':
      'order_id BIGINT, customer_id BIGINT, order_date DATE, amount DECIMAL(10,2), region VARCHAR, card_number VARCHAR, status VARCHAR',
    'demo.flights': 'date TIMESTAMP, delay BIGINT, distance BIGINT, origin VARCHAR, destination VARCHAR',
    'demo.products': 'product_id INTEGER, name VARCHAR, category VARCHAR, price DECIMAL(10,2), cost DECIMAL(10,2)',
    'demo.customer_orders':
      'order_id BIGINT, order_date DATE, amount DECIMAL(10,2), status VARCHAR, customer_id BIGINT, name VARCHAR, email VARCHAR, region VARCHAR',
    'sales.people': 'id BIGINT, email VARCHAR',
  }).map(([id, columns]) => [
    id,
    columns.split(', ').map((column) => ({ name: column.split(' ')[0] ?? '', type: column.split(' ')[1] ?? '' })),
  ]),
);

const analyzer = createAnalyzer();

function openStore(directory: string, problems: string[]): Promise<FileStore> {
  return createFileStore({
    directory,
    variables: { data: '/srv/demo', flights: '/srv/flights' },
    parsePredicate: async (text) => toPredicate(await (await analyzer).parse(`SELECT 1 WHERE (\n${text}\n)`)),
    supportsMask,
    check: checkPolicy,
    resolveColumns: async () => COLUMNS,
    onProblems: (found) => problems.push(...found),
  });
}

test('the demo loads without a problem, and decides as its README says', async () => {
  const problems: string[] = [];
  await using store = await openStore(QUICKSTART, problems);
  expect(problems).toEqual([]);
  const snapshot = store.current();
  const policy = await compilePolicy(snapshot);
  const seen = async (name: string): Promise<Record<string, unknown>> => {
    const user = snapshot.users.find((each) => each.name === name) ?? expect.fail(`no user ${name}`);
    const rights = await policy.forPrincipal({ subject: user.name, groups: user.groups, attributes: user.attributes });
    const decisions = snapshot.datasets.map((dataset) => {
      const decision = rights.decide(dataset);
      if (decision.effect === 'deny') return [dataset.name, rights.mayDescribe(dataset) ? 'described' : 'denied'];
      const masks = decision.columns.flatMap(({ name: column, treatment }) => {
        if (treatment.kind === 'raw') return [];
        return [`${column}: ${treatment.kind === 'hidden' ? 'hidden' : describeMask(treatment.mask)}`];
      });
      return [dataset.name, [decision.rowFilter === null ? 'every row' : describePredicate(decision.rowFilter), ...masks]];
    });
    return { ...Object.fromEntries(decisions), audit: rights.may('audit'), operate: rights.may('operate') };
  };
  const all = ['every row'];
  expect(await seen('steward')).toEqual({
    customers: all,
    orders: all,
    flights: all,
    products: all,
    customer_orders: all,
    audit: false,
    operate: true,
  });
  const analyst = (region: string): unknown => ({
    customers: [
      `region = '${region}'`,
      'email: only the domain of the address',
      'phone: only the last 4 characters',
      'ssn: a token: equal values stay equal',
      'birth_date: only the year',
      'balance: hidden',
    ],
    orders: [`region = '${region}'`, 'card_number: only the last 4 characters'],
    flights: all,
    products: ['every row', 'cost: hidden'],
    customer_orders: all,
    audit: false,
    operate: false,
  });
  expect(await seen('analyst_eu')).toEqual(analyst('EU'));
  expect(await seen('analyst_us')).toEqual(analyst('US'));
  const described = {
    customers: 'described',
    orders: 'described',
    flights: 'described',
    products: 'described',
    customer_orders: 'described',
  };
  expect(await seen('auditor')).toEqual({ ...described, audit: true, operate: false });
  const denied = { customers: 'denied', orders: 'denied', products: 'denied', customer_orders: 'denied' };
  expect(await seen('guest')).toEqual({ ...denied, flights: all, audit: false, operate: false });
});

test("the demo's passwords are <name>-demo", async () => {
  await using store = await openStore(QUICKSTART, []);
  for (const user of store.current().users) {
    const [, n, r, p, salt = '', key = ''] = user.passwordHash.split('$');
    const made = scryptSync(`${user.name}-demo`, Buffer.from(salt, 'base64'), 32, { N: Number(n), r: Number(r), p: Number(p) });
    expect(made.toString('base64'), user.name).toBe(key);
  }
});

test("the README's own directory loads as it stands", async () => {
  const readme = readFileSync(`${QUICKSTART}/README.md`, 'utf8');
  const block = (file: string): string =>
    new RegExp(`\`${file}\`[^\\n]*:\\n\\n\`\`\`\\w+\\n([^]*?)\`\`\``).exec(readme)?.[1] ?? expect.fail(`no ${file}`);
  const files = ['catalog.yaml', 'policy.csv', 'rules.yaml', 'users.yaml'].map((file) => [file, block(file)]);
  const text = Object.fromEntries(files) as Record<string, string>;
  const users = (text['users.yaml'] ?? '').replace(/scrypt\$.*/, hash('a'));
  await using directory = await makeDirectory({ ...text, 'users.yaml': users });
  const problems: string[] = [];
  await using store = await openStore(directory.path, problems);
  expect(problems).toEqual([]);
  const snapshot = store.current();
  const rights = await (await compilePolicy(snapshot)).forPrincipal({ subject: 'ann', groups: [], attributes: {} });
  const decision = snapshot.datasets[0] && rights.decide(snapshot.datasets[0]);
  expect(decision).toMatchObject({
    effect: 'allow',
    rowFilter: null,
    columns: [{ treatment: { kind: 'raw' } }, { treatment: { mask: { kind: 'email' } } }],
  });
});
