/** Datasets of files: registered from nothing, governed, refreshed while files come, change and go, and kept from whoever may not. */
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { openKeys } from '#src/cluster-keys.js';
import { readConfig } from '#src/config.js';
import { runTrustedScript } from '#src/engine/index.js';
import { HTTPFS_DIRECTORY } from '#testbed';
import { connectFlight, failureOf, type RawClient } from '../support/flight-client.ts';
import { PATIENCE } from '../support/patience.ts';
import { writePolicySet } from '../support/policy-set.mjs';
import { CLUSTER_KEY } from '../support/quickstart.ts';
import { replaceFile } from '../support/replace-file.ts';
import { type S3Server, startS3 } from '../support/s3.ts';
import { startTestServer, type TestServer } from '../support/server.ts';

const work = mkdtempSync(join(tmpdir(), 'sluice-datasets-'));
const policies = join(work, 'policies');
const lake = join(work, 'lake');
const catalogFile = join(policies, 'catalog.yaml');
const BUCKET = 'datasets-bucket';
let s3: S3Server;
/** Sealed. */
let secret = '';
let sluice: TestServer;
let steward: RawClient;
let analyst: RawClient;
let auditor: RawClient;

beforeAll(async () => {
  s3 = await startS3();
  await s3.createBucket(BUCKET);
  secret = (await openKeys(readConfig([], { SLUICE_CLUSTER_KEY: CLUSTER_KEY }))).sealSecret(s3.root.secretAccessKey);
  writePolicySet(policies, {
    catalog: {},
    users: {
      steward: { roles: ['steward'] },
      analyst: { roles: ['analyst'], attributes: { region: ['EU'] } },
      auditor: { roles: ['auditor'] },
    },
    grants: [
      ['steward', '*', 'operate'],
      ['steward', '*', 'select'],
      ['analyst', 'demo.events*', 'select'],
      ['auditor', '*', 'audit'],
    ],
    rowFilters: [],
    masks: [{ id: 'mail', roles: ['analyst'], columns: ['email'], mask: 'email' }],
  });
  writeFileSync(catalogFile, catalogText());
  mkdirSync(lake, { recursive: true });
  sluice = await startTestServer({
    SLUICE_POLICIES: policies,
    SLUICE_STATE_DIR: join(work, 'state'),
    SLUICE_CLUSTER_KEY: CLUSTER_KEY,
    SLUICE_EXTENSIONS: HTTPFS_DIRECTORY,
  });
  const connect = (user: string) => connectFlight({ port: sluice.port, user });
  [steward, analyst, auditor] = [await connect('steward'), await connect('analyst'), await connect('auditor')];
});

afterAll(async () => {
  for (const client of [steward, analyst, auditor]) client?.close();
  await sluice?.[Symbol.asyncDispose]();
  await s3?.[Symbol.asyncDispose]();
  rmSync(work, { recursive: true, force: true });
});

function catalogText(): string {
  return `# Our lake: keep this line
catalog: sluice
defaultSchema: demo
connections:
  # on this machine
  lake: { kind: local, directory: ${lake} }
  cloud:
    kind: s3
    url: s3://${BUCKET}/lake/
    endpoint: ${s3.url}
    pathStyle: true
    credentials: { accessKeyId: ${s3.root.accessKeyId}, secretAccessKey: "${secret}" }
tags:
  personal: about people
datasets:
  demo.base: { view: "SELECT 'x' AS email" }
`;
}

/** Puts a catalog without files in force. */
async function emptyCatalog(): Promise<void> {
  if (names().length === 0) return;
  await replaceFile(catalogFile, catalogText());
  await vi.waitFor(() => expect(names()).toEqual([]), PATIENCE);
}

/** Of what was registered. */
function names(): readonly string[] {
  return sluice.server.snapshot().datasets.flatMap(({ name }) => (name === 'base' ? [] : [name]));
}

interface Place {
  readonly connection: string;
  write(path: string, select: string): Promise<void>;
  remove(path: string): Promise<void>;
}

let files = 0;

async function writeLocal(path: string, select: string): Promise<void> {
  mkdirSync(dirname(path), { recursive: true });
  const format = path.endsWith('.parquet') ? ' (FORMAT parquet)' : '';
  await runTrustedScript([`COPY (${select}) TO '${path.replaceAll("'", "''")}'${format}`]);
}

const PLACES: readonly Place[] = [
  {
    connection: 'lake',
    write: (path, select) => writeLocal(join(lake, path), select),
    remove: async (path) => rmSync(join(lake, path)),
  },
  {
    connection: 'cloud',
    write: async (path, select) => {
      const file = join(work, `upload-${files++}.${path.split('.').at(-1)}`);
      await writeLocal(file, select);
      await s3.put(BUCKET, `lake/${path}`, { file });
    },
    remove: (path) => s3.delete(BUCKET, `lake/${path}`),
  },
];

const people = (from: number, to: number, more = ''): string =>
  `SELECT i::INTEGER AS id, 'p' || i || '@example.org' AS email, CASE WHEN i % 2 = 0 THEN 'EU' ELSE 'US' END AS region${more} FROM range(${from}, ${to}) t(i)`;
const message = async (statement: string, client = steward): Promise<string> => (await failureOf(client.rows(statement))).message;

describe.each(PLACES)('on $connection', ({ connection, write, remove }) => {
  beforeEach(emptyCatalog);

  const register = (name: string, path: string, more = ''): string =>
    `REGISTER DATASET demo.${name} FROM ${connection} '${path}'${more === '' ? '' : ` ${more}`}`;

  test('files become a dataset that the policies govern', async () => {
    await write('events/year=2023/a.parquet', people(0, 100));
    await write('events/year=2024/b.parquet', people(100, 150));
    const [report] = await steward.rows(register('events', 'events/', 'HIVE'));
    expect(report).toMatchObject({ dataset: 'demo.events', files: 2, added: 2, changed: 0, removed: 0, rows: 150 });
    expect(report?.['note']).toContain('grant');
    expect(await steward.rows('SELECT year, count(*) AS n FROM demo.events GROUP BY year ORDER BY year')).toEqual([
      { year: 2023, n: 100 },
      { year: 2024, n: 50 },
    ]);
    expect(await analyst.rows('SELECT id, email FROM demo.events WHERE id < 2 ORDER BY id')).toEqual([
      { id: 0, email: '***@example.org' },
      { id: 1, email: '***@example.org' },
    ]);
    expect(await message('SELECT * FROM demo.events', auditor)).toContain('does not exist');
    const text = readFileSync(catalogFile, 'utf8');
    expect(text).toContain('# Our lake: keep this line');
    expect(text).toContain('# on this machine');
    expect(text).toContain('email: { type: VARCHAR }');
    expect(text).toContain('year: { type: BIGINT }');
  });

  test('a refresh takes new, changed and vanished files, and says how many', async () => {
    await write('feed/a.parquet', people(0, 10));
    await write('feed/b.parquet', people(10, 20));
    await write('feed/c.parquet', people(20, 30));
    await steward.rows(register('feed', 'feed'));
    const count = async (): Promise<unknown> => (await steward.rows('SELECT count(*) AS n, max(id) AS last FROM demo.feed'))[0];
    await write('feed/d.parquet', people(30, 45));
    expect(await count()).toEqual({ n: 30, last: 29 });
    expect(await steward.rows('REFRESH DATASET demo.feed')).toMatchObject([{ files: 4, added: 1, changed: 0, removed: 0, rows: 45 }]);
    expect(await count()).toEqual({ n: 45, last: 44 });
    await write('feed/a.parquet', people(1000, 1001));
    await remove('feed/b.parquet');
    const { status } = await failureOf(steward.rows('SELECT sum(id) AS s FROM demo.feed'));
    expect(status).toBe('UNAVAILABLE');
    expect(await steward.rows('REFRESH DATASET Feed')).toMatchObject([{ files: 3, added: 0, changed: 1, removed: 1, rows: 26 }]);
    expect(await count()).toEqual({ n: 26, last: 1000 });
    expect(await steward.rows('REFRESH DATASET demo.feed')).toMatchObject([{ files: 3, added: 0, changed: 0, removed: 0, note: '' }]);
  });

  test('columns are joined by name over time', async () => {
    await write('growing/1.parquet', people(0, 10));
    await steward.rows(register('growing', 'growing/'));
    // Another order, another case, one more column, one less.
    await write('growing/2.parquet', 'SELECT 10::SMALLINT AS ID, DATE \'2024-01-01\' AS day, NULL::VARCHAR AS "Region"');
    const [refreshed] = await steward.rows('REFRESH DATASET demo.growing');
    expect(refreshed?.['note']).toBe('not in the catalog: "day" (1 file); register the dataset again to add them');
    expect(await steward.rows('SELECT * FROM demo.growing WHERE id >= 9 ORDER BY id')).toEqual([
      { id: 9, email: 'p9@example.org', region: 'US' },
      { id: 10, email: null, region: null },
    ]);
    await steward.rows(register('growing', 'growing/'));
    expect(await steward.rows('SELECT * FROM demo.growing WHERE id >= 9 ORDER BY id')).toEqual([
      { id: 9, email: 'p9@example.org', region: 'US', day: null },
      { id: 10, email: null, region: null, day: '2024-01-01' },
    ]);
  });

  test('wider types wait until they are registered; what does not go together is refused by name and number', async () => {
    await write('types/1.parquet', people(0, 10));
    await steward.rows(register('types', 'types/'));
    await write('types/2.parquet', "SELECT 5000000000::BIGINT AS id, 'x@example.org' AS email, 'EU' AS region");
    expect(await message('REFRESH DATASET demo.types')).toContain('column "id" is BIGINT in 1 file and INTEGER in the catalog');
    // What is in the index is still read.
    expect(await steward.rows('SELECT count(*) AS n FROM demo.types')).toEqual([{ n: 10 }]);
    await steward.rows(register('types', 'types/'));
    expect(await steward.rows('SELECT max(id) AS m FROM demo.types')).toEqual([{ m: 5_000_000_000 }]);
    for (const name of ['3', '4']) await write(`types/${name}.parquet`, "SELECT 'text' AS id");
    expect(await message('REFRESH DATASET demo.types')).toContain('column "id" is VARCHAR in 2 files and BIGINT in the catalog');
    expect(await message(register('types', 'types/'))).toMatch(
      /types that do not go together: column "id" is INTEGER in 1 file, BIGINT in 1 file, VARCHAR in 2 files and BIGINT in the catalog/,
    );
    expect(await steward.rows('SELECT count(*) AS n FROM demo.types')).toEqual([{ n: 11 }]);
  });

  test('CSV and JSON lines, with a header per file and without', async () => {
    await write('text/a.csv', "SELECT 1 AS id, 'x' AS name, 2.5 AS amount");
    await write('text/b.csv', "SELECT 'y' AS name, 7 AS id");
    expect(await steward.rows(register('csvs', 'text/', 'FORMAT csv'))).toMatchObject([{ files: 2, rows: null }]);
    expect(await steward.rows('SELECT * FROM demo.csvs ORDER BY id')).toEqual([
      { id: 1, name: 'x', amount: 2.5 },
      { id: 7, name: 'y', amount: null },
    ]);
    await write('lines/a.json', "SELECT 1 AS id, {'x': [1, 2]} AS nested");
    await write('lines/b.json', "SELECT 2 AS id, 'n' AS name");
    await steward.rows(register('lines', 'lines/', 'FORMAT json'));
    expect(await steward.rows('SELECT id, nested.x AS x, name FROM demo.lines ORDER BY id')).toEqual([
      { id: 1, x: [1, 2], name: null },
      { id: 2, x: null, name: 'n' },
    ]);
    await write('text/c.csv', "SELECT 9 AS id, 'z' AS name, 1 AS amount, 5 AS extra");
    const [refreshed] = await steward.rows('REFRESH DATASET demo.csvs');
    expect(refreshed).toMatchObject({ added: 1, note: expect.stringContaining('"extra" (1 file)') });
    expect(await steward.rows('SELECT * FROM demo.csvs WHERE id = 9')).toEqual([{ id: 9, name: 'z', amount: 1 }]);
  });

  test('text files have partitions too', async () => {
    for (const [kind, format] of [
      ['csv', 'csv'],
      ['json', 'json'],
    ] as const) {
      await write(`hive-${kind}/y=2023/a.${kind}`, "SELECT 1 AS id, 'x' AS name");
      await write(`hive-${kind}/y=2024/b.${kind}`, "SELECT 'y' AS name, 2 AS id");
      await steward.rows(register(`hive_${kind}`, `hive-${kind}/`, `FORMAT ${format} HIVE`));
      expect(await steward.rows(`SELECT y, id, name FROM demo.hive_${kind} WHERE y = 2024`)).toEqual([{ y: 2024, id: 2, name: 'y' }]);
      expect(await steward.rows(`SELECT sum(y) AS s, count(*) AS n FROM demo.hive_${kind}`)).toEqual([{ s: '4047', n: 2 }]);
    }
  });

  test('file names full of signs are names, and each file is read once, whatever its neighbours are called', async () => {
    const names = [
      "a'b",
      'c[1]',
      'c1',
      'd*',
      'dd',
      'e?',
      'ef',
      'f{g}',
      'fg',
      'h\\i',
      'j;k',
      'l?versionId=1',
      'l',
      'm+n',
      'o p',
      'q=r',
      'ü',
    ];
    for (const name of names) await write(`signs/${name}.parquet`, `SELECT '${name.replaceAll("'", "''")}' AS n`);
    expect(await steward.rows(register('signs', 'signs/'))).toMatchObject([{ files: names.length, rows: names.length }]);
    expect((await steward.rows('SELECT n FROM demo.signs ORDER BY n')).map(({ n }) => n)).toEqual(names.toSorted());
  });

  test('partitions keep what their directories say', async () => {
    const values = ['a%20b', '__HIVE_DEFAULT_PARTITION__', '01', "it's"];
    for (const [i, value] of (connection === 'cloud' ? values.slice(1) : values).entries())
      await write(`parts/kind=${value}/f.parquet`, `SELECT ${i}::INTEGER AS i, 'inside' AS kind`);
    await steward.rows(register('parts', 'parts/', 'HIVE'));
    const expected = ['01', ...(connection === 'cloud' ? [] : ['a b']), "it's", null];
    expect((await steward.rows('SELECT kind FROM demo.parts ORDER BY kind NULLS LAST')).map(({ kind }) => kind)).toEqual(expected);
    await write('parts/other=1/f.parquet', 'SELECT 1::INTEGER AS i');
    expect(await message('REFRESH DATASET demo.parts')).toMatch(/1 of \d files lie in other partitions/);
  });
});

describe('what a steward may not do by a name or a path', () => {
  beforeEach(async () => {
    await emptyCatalog();
    await writeLocal(join(lake, 'own/a.parquet'), people(0, 5));
    await writeLocal(join(work, 'outside/a.parquet'), people(0, 5));
  });

  test.each([
    ["'../outside/'", 'leaves'],
    ["'own/../../outside/'", 'leaves'],
    ["'/etc/'", 'relative'],
    ["'s3://other/x/'", 'no parquet file'],
    [`'\${HOME}/'`, 'relative'],
    ["''", 'empty'],
    ["'own/\n'", 'control'],
    ["'gone/'", 'no parquet file'],
    ["'own/*.nothing'", 'no parquet file'],
  ])('path %s', async (path, expected) => {
    const before = readFileSync(catalogFile, 'utf8');
    expect(await message(`REGISTER DATASET demo.x FROM lake ${path}`)).toContain(expected);
    expect(readFileSync(catalogFile, 'utf8')).toBe(before);
  });

  test.each([
    ['demo."a.b"', 'schema.name'],
    ['demo."a*"', 'must not hold'],
    ['demo."a\nb"', 'control'],
    ['"main".x', 'reserved'],
    ['information_schema.x', 'reserved'],
    ['sluice.x', "catalog's name"],
  ])('name %s', async (name, expected) => {
    const before = readFileSync(catalogFile, 'utf8');
    expect(await message(`REGISTER DATASET ${name} FROM lake 'own/'`)).toContain(expected);
    expect(readFileSync(catalogFile, 'utf8')).toBe(before);
  });

  test.each(['gone', '"../lake"', '"la""ke"'])('connection %s', async (name) => {
    expect(await message(`REGISTER DATASET demo.x FROM ${name} 'own/'`)).toContain('connection');
  });

  test('column names full of signs are names; one that nobody can write is left out', async () => {
    const names = ['a"b', 'a.b', '__proto__', 'constructor', '*', '<<', '&a', 'null', '1', ' ', 'é', 'É'];
    const columns = [...names, 'x\ny'].map((name, i) => `${i} AS "${name.replaceAll('"', '""')}"`);
    await writeLocal(join(lake, 'events-odd/a.parquet'), `SELECT 'a@example.org' AS "EMAIL", ${columns.join(', ')}`);
    const [report] = await steward.rows("REGISTER DATASET demo.events_odd FROM lake 'events-odd/'");
    expect(report?.['note']).toContain('left out: 1 of the columns');
    const table = await analyst.table('SELECT * FROM demo.events_odd');
    expect(table.schema.fields.map(({ name }) => name)).toEqual(['EMAIL', ...names]);
    expect(table.getChildAt(0)?.get(0)).toBe('***@example.org');
    expect(names.map((_, i) => table.getChildAt(i + 1)?.get(0))).toEqual(names.map((_, i) => i));
    const again = await steward.rows("REGISTER DATASET demo.events_odd FROM lake 'events-odd/'");
    expect(again).toMatchObject([{ added: 0, changed: 0 }]);
  });

  test('the files of another dataset are registered with a word about its rules', async () => {
    await steward.rows("REGISTER DATASET demo.own FROM lake 'own/'");
    for (const [i, path] of ['own/', 'own/a.parquet', 'own/*.parquet', 'ow[n]/'].entries()) {
      const [report] = await steward.rows(`REGISTER DATASET demo.copy${i} FROM lake '${path}'`);
      expect(report?.['note'], path).toMatch(/may be those of demo\.own.* too: rules on that name do not protect them here/);
    }
    await writeLocal(join(lake, 'own2/a.parquet'), people(0, 5));
    const [report] = await steward.rows("REGISTER DATASET demo.own2 FROM lake 'own2/'");
    expect(report?.['note']).toMatch(/those of demo\.copy3 too/);
    expect(report?.['note']).not.toMatch(/demo\.own\b/);
  });

  test('a dataset does not move under its policies', async () => {
    await steward.rows("REGISTER DATASET demo.x FROM lake 'own/'");
    await writeLocal(join(lake, 'elsewhere/a.parquet'), people(0, 5));
    for (const other of ["lake 'elsewhere/'", "lake 'own/' HIVE", "lake 'own/' FORMAT csv"]) {
      const { status } = await failureOf(steward.rows(`REGISTER DATASET demo.x FROM ${other}`));
      expect(status, other).toBe('ALREADY_EXISTS');
    }
  });

  test('what is no file of the format is refused without its name or content', async () => {
    writeFileSync(join(lake, 'own/broken.parquet'), 'topsecret topsecret topsecret');
    const told = await message("REGISTER DATASET demo.x FROM lake 'own/'");
    expect(told).toContain('can not be read as parquet');
    expect(told).not.toMatch(/topsecret|broken/);
    rmSync(join(lake, 'own/broken.parquet'));
  });

  test('the rights are needed, and every statement is audited', async () => {
    await steward.rows("REGISTER DATASET demo.events_own FROM lake 'own/'");
    for (const statement of ["REGISTER DATASET demo.y FROM lake 'own/'", 'REFRESH DATASET demo.events_own', 'PIN DATASET demo.events_own'])
      for (const client of [analyst, auditor]) expect((await failureOf(client.rows(statement))).status).toBe('PERMISSION_DENIED');
    for (const statement of ['SHOW WORKERS', 'SHOW CACHE']) {
      expect((await failureOf(analyst.rows(statement))).status).toBe('PERMISSION_DENIED');
      for (const client of [steward, auditor]) expect(await client.rows(statement)).toBeInstanceOf(Array);
    }
    expect((await steward.rows('SHOW WORKERS'))[0]).toMatchObject({ location: expect.stringContaining(String(sluice.port)), alive: true });
    expect(await message('REFRESH DATASET demo.gone')).toContain('demo');
    const audited = (await sluice.audit()).filter(({ statement }) => statement === 'REFRESH DATASET demo.events_own');
    expect(audited.map(({ outcome }) => outcome)).toEqual(['refused', 'refused']);
  });

  test('views and tables have no files to refresh', async () => {
    await steward.rows("REGISTER DATASET demo.x FROM lake 'own/'");
    await replaceFile(catalogFile, `${readFileSync(catalogFile, 'utf8')}  demo.seen: { view: SELECT id FROM demo.x }\n`);
    await vi.waitFor(() => expect(names()).toEqual(['x', 'seen']), PATIENCE);
    expect(await message('REFRESH DATASET demo.seen')).toContain('no files of its own');
  });
});

describe('by two at once', () => {
  beforeEach(emptyCatalog);

  test('one refresh wins and the other is told, or both say the same', async () => {
    await writeLocal(join(lake, 'race/a.parquet'), people(0, 5));
    await steward.rows("REGISTER DATASET demo.race FROM lake 'race/'");
    for (let round = 1; round <= 3; round++) {
      await writeLocal(join(lake, `race/${round}.parquet`), people(0, 5));
      const ends = await Promise.all([1, 2, 3].map(() => failureOf(steward.rows('REFRESH DATASET demo.race'))));
      expect(ends.map(({ status }) => status)).toContain('OK');
      for (const { status } of ends) expect(['OK', 'ABORTED']).toContain(status);
      expect(await steward.rows('SELECT count(*) AS n FROM demo.race')).toEqual([{ n: 5 + 5 * round }]);
    }
  });

  test('registrations do not overwrite each other', async () => {
    for (const name of ['r1', 'r2', 'r3', 'r4']) await writeLocal(join(lake, name, 'a.parquet'), people(0, 5));
    const tried = await Promise.all(
      ['r1', 'r2', 'r3', 'r4'].map(async (name) => [
        name,
        (await failureOf(steward.rows(`REGISTER DATASET demo.${name} FROM lake '${name}/'`))).status,
      ]),
    );
    const won = tried.flatMap(([name, status]) => (status === 'OK' ? [name] : []));
    expect(won.length).toBeGreaterThan(0);
    for (const [, status] of tried) expect(['OK', 'ABORTED']).toContain(status);
    expect([...names()].sort()).toEqual(won);
  });
});

describe('from the command line', () => {
  beforeEach(emptyCatalog);

  const run = (...args: readonly string[]): Promise<{ readonly stdout: string }> =>
    promisify(execFile)(
      process.execPath,
      ['dist/main.js', 'dataset', ...args, '--policies', policies, '--state-dir', join(work, 'state')],
      {
        env: { ...process.env, SLUICE_CLUSTER_KEY: CLUSTER_KEY, SLUICE_EXTENSIONS: HTTPFS_DIRECTORY },
        maxBuffer: 10_000_000,
      },
    );

  test('a running server reads what is registered and refreshed beside it', { timeout: 180_000 }, async () => {
    await writeLocal(join(lake, 'cli/a.parquet'), people(0, 5));
    const more = ['--tags', 'personal', '--description', 'People: all of them'];
    const { stdout } = await run('register', 'demo.events_cli', '--connection', 'lake', '--path', 'cli/', ...more);
    expect(stdout).toContain('email VARCHAR');
    expect(stdout).toContain('demo.events_cli: 1 file, 5 rows; 1 new, 0 changed, 0 gone');
    expect(stdout).toContain('only those read it whom a grant in policy.csv covers');
    await vi.waitFor(
      () => expect(sluice.server.snapshot().datasets[1]).toMatchObject({ tags: ['personal'], description: 'People: all of them' }),
      PATIENCE,
    );
    expect(await analyst.rows('SELECT count(*) AS n FROM demo.events_cli')).toEqual([{ n: 5 }]);
    await writeLocal(join(lake, 'cli/b.parquet'), people(5, 6));
    expect((await run('refresh', '--all')).stdout).toContain('demo.events_cli: 2 files, 6 rows; 1 new, 0 changed, 0 gone');
    expect(await analyst.rows('SELECT count(*) AS n FROM demo.events_cli')).toEqual([{ n: 6 }]);
    expect((await run('list')).stdout).toMatch(/demo\.events_cli {2}parquet {2}3 columns {2}2 files as of 20/);
    await expect(run('refresh', 'demo.gone')).rejects.toThrow(/there is no dataset demo\.gone/);
    await expect(run('register', 'demo.y', '--connection', 'lake', '--path', 'cli/', '--tags', 'unknown')).rejects.toThrow(
      /tag unknown is not declared/,
    );
    for (const args of [
      [],
      ['register', 'nothing'],
      ['refresh'],
      ['drop', 'demo.x'],
      ['register', 'a.b', '--connection', 'lake', '--path', 'x', '--format', 'orc'],
    ])
      await expect(run(...args)).rejects.toThrow(/usage/);
  });
});
