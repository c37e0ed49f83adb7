/** The README is run as it stands: its policy directory, its Python and its Java. */
import { execFile, spawn } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { connectFlight } from '../support/flight-client.ts';
import { startTestServer, type TestServer } from '../support/server.ts';
import { JDBC_CLASSPATH, PYTHON } from '../support/testbed.mjs';

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const readme = await readFile(join(ROOT, 'README.md'), 'utf8');
const blocks = [...readme.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)].map(([, language = '', code = '']) => ({ language, code }));

/** The only block of a language that holds `needle`. */
function block(language: string, needle: string): string {
  const found = blocks.filter((candidate) => candidate.language === language && candidate.code.includes(needle));
  expect(found, `one ${language} block with ${needle}`).toHaveLength(1);
  return found[0]?.code ?? '';
}

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'sluice-readme-'));
});
afterAll(() => rm(directory, { recursive: true }));

describe('the snippets for the demo', () => {
  let sluice: TestServer;
  beforeAll(async () => {
    sluice = await startTestServer();
  });
  afterAll(() => sluice[Symbol.asyncDispose]());
  const here = (code: string): string => code.replaceAll('127.0.0.1:8815', `127.0.0.1:${sluice.port}`);

  test('Python: the steward and the analyst get different rows', async () => {
    const { stdout } = await run(PYTHON, ['-c', here(block('python', 'adbc_driver_flightsql'))]);
    const [steward = '', analyst = ''] = stdout.split('\n');
    expect(steward).toMatch(/^steward \[.*@.*'region': '/);
    expect(analyst).toMatch(/^analyst_eu \[.*'email': '\*+@.*'ssn': 'tok_.*'region': 'EU'/);
  });

  test('Java: JDBC reads the one region', async () => {
    const source = join(directory, 'Quickstart.java');
    await writeFile(source, here(block('java', 'class Quickstart')));
    const { stdout } = await run('java', ['--add-opens=java.base/java.nio=ALL-UNNAMED', '-cp', JDBC_CLASSPATH, source]);
    expect(stdout).toMatch(/^EU \d+ \d+\.\d\d\n$/);
  });
});

test('a policy directory of one’s own, from an empty folder to governed rows', async () => {
  await mkdir(join(directory, 'data', 'visits'), { recursive: true });
  await cp(join(ROOT, 'policies'), join(directory, 'policies'), { recursive: true });
  const sql = `COPY (SELECT * FROM (VALUES (1, 'ada@example.com', 'DE'), (2, 'bob@example.org', 'FR')) t(id, email, country)) TO '${directory}/data/visits/a.parquet'`;
  await run(PYTHON, ['-c', `import duckdb; duckdb.sql("""${sql}""")`]);
  await run('sh', ['-c', block('sh', 'mkdir -p my-policies')], { cwd: directory });
  const policies = join(directory, 'my-policies');
  await writeFile(join(policies, 'catalog.yaml'), block('yaml', 'defaultSchema: web'));
  await writeFile(join(policies, 'policy.csv'), block('csv', 'owner-reads'));
  await writeFile(join(policies, 'rules.yaml'), block('yaml', 'own-country'));
  await writeFile(join(policies, 'users.yaml'), block('yaml', '<hash>').replaceAll('<hash>', await hashOf('a password')));
  const { stdout } = await run('node', [join(ROOT, 'dist/main.js'), 'check', policies]);
  expect(stdout).toContain('no problems');

  await using sluice = await startTestServer({ SLUICE_POLICIES: policies });
  await using olga = await connectFlight({ port: sluice.port, user: 'olga', password: 'a password' });
  await using mia = await connectFlight({ port: sluice.port, user: 'mia', password: 'a password' });
  expect(await olga.rows('SELECT id, email FROM visits ORDER BY id')).toEqual([
    { id: 1, email: 'ada@example.com' },
    { id: 2, email: 'bob@example.org' },
  ]);
  expect(await mia.rows('SELECT id, email FROM web.visits')).toEqual([{ id: 1, email: '***@example.com' }]);
});

/** `echo 'a password' | node dist/main.js hash-password`. */
function hashOf(password: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn('node', [join(ROOT, 'dist/main.js'), 'hash-password']);
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
    child.once('close', (status) => (status === 0 ? resolve(output.trim()) : reject(new Error(`status ${status}`))));
    child.stdin.end(`${password}\n`);
  });
}
