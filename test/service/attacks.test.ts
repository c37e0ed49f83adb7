/**
 * Every attack and every non-interference query of test/cases over a real Flight client, against the whole product: nothing that an analyst may
 * not read comes back, in rows or in words (I1, I2, I5), and the answer is the one of a server whose files never had the withheld rows.
 */
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { PythonClients } from '../support/clients.ts';
import { connectFlight, failureOf, type RawClient } from '../support/flight-client.ts';
import { CLUSTER_KEY } from '../support/quickstart.ts';
import { STATE_DIRECTORY, startTestServer, type TestServer } from '../support/server.ts';
import { leaksIn } from '../unit/sql/leak-oracle.ts';

interface Case {
  readonly id: string;
  readonly sql: string;
  readonly why?: string;
  readonly expect?: 'refused' | 'no-leak' | 'bounded';
}

const readCases = (name: string): readonly Case[] => JSON.parse(readFileSync(new URL(`../cases/${name}.json`, import.meta.url), 'utf8'));
const ATTACKS = readCases('attacks');
const QUERIES = readCases('non-interference');
const QUICKSTART = fileURLToPath(new URL('../../policies/quickstart', import.meta.url));
const REFUSALS = ['INVALID_ARGUMENT', 'NOT_FOUND', 'PERMISSION_DENIED', 'UNIMPLEMENTED', 'RESOURCE_EXHAUSTED'];

/** One server over one set of files. */
interface World {
  readonly directory: string;
  readonly server: TestServer;
  readonly client: RawClient;
}

interface Outcome {
  readonly status: string;
  readonly message: string;
  readonly rows: readonly string[];
}

const work = mkdtempSync(join(tmpdir(), 'sluice-attacks-'));
let full: World;
let allowed: World;

beforeAll(async () => {
  await (await startTestServer())[Symbol.asyncDispose](); // makes the demo data if it is not there
  await using python = new PythonClients();
  full = await openWorld(python, 'full', 'true');
  allowed = await openWorld(python, 'allowed', "region = 'EU'");
});

afterAll(async () => {
  for (const world of [full, allowed]) {
    world?.client.close();
    await world?.server[Symbol.asyncDispose]();
  }
  rmSync(work, { recursive: true, force: true });
});

/** The quickstart's policies over a part of its data; `where` leaves rows out, as if they had never been there. */
async function openWorld(python: PythonClients, name: string, where: string): Promise<World> {
  const directory = join(work, name, 'data');
  mkdirSync(join(directory, 'other'), { recursive: true });
  const demo = join(STATE_DIRECTORY, 'demo');
  const customers = `SELECT * FROM read_parquet('${demo}/customers.parquet') WHERE customer_id <= 900 AND ${where} ORDER BY customer_id`;
  const orders = `SELECT * FROM read_parquet('${demo}/orders/*/*.parquet') WHERE customer_id <= 900 AND ${where} ORDER BY order_id`;
  const statements = [
    `COPY (${customers}) TO '${directory}/customers.parquet' (ROW_GROUP_SIZE 2048)`,
    `COPY (${orders}) TO '${directory}/orders' (FORMAT parquet, PARTITION_BY (region), WRITE_PARTITION_COLUMNS true, ROW_GROUP_SIZE 2048)`,
    `COPY (SELECT 'secret' AS word) TO '${directory}/other/secret.parquet'`,
  ];
  await python.call('duckdb_run', { statements });
  cpSync(join(demo, 'products.duckdb'), join(directory, 'products.duckdb'));
  const policies = join(work, name, 'policies');
  cpSync(QUICKSTART, policies, { recursive: true });
  const catalog = join(policies, 'catalog.yaml');
  writeFileSync(catalog, readFileSync(catalog, 'utf8').replaceAll(/\$\{data\}/g, directory));
  // With one thread the order of rows, and what LIMIT keeps of them, follows from the data alone.
  const limits = { SLUICE_CLUSTER_KEY: CLUSTER_KEY, SLUICE_MEMORY_LIMIT: '512MB', SLUICE_TEMP_LIMIT: '64MB', SLUICE_THREADS: '1' };
  const server = await startTestServer({ SLUICE_POLICIES: policies, ...limits });
  return { directory, server, client: await connectFlight({ port: server.port, user: 'analyst_eu' }) };
}

function fill(sql: string, { directory }: World): string {
  const places: Readonly<Record<string, string>> = {
    customers_file: join(directory, 'customers.parquet'),
    orders_dir: join(directory, 'orders'),
    data_dir: directory,
  };
  return sql.replaceAll(/\$\{(\w+)\}/g, (whole, name: string) => places[name] ?? whole);
}

async function ask(world: World, sql: string): Promise<Outcome> {
  let rows: readonly string[] = [];
  const call = world.client.rows(fill(sql, world)).then((found) => {
    rows = found.map((row) => JSON.stringify(row, roundFloat)).sort();
  });
  const { status, message } = await failureOf(call);
  // A request id is the server's own.
  return {
    status,
    message: message.replaceAll(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, 'ID').replaceAll(world.directory, 'DATA'),
    rows,
  };
}

/** Sums of floats depend on how the rows fell into chunks. */
function roundFloat(_: string, value: unknown): unknown {
  return typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(12)) : value;
}

describe.each(['refused', 'no-leak', 'bounded'] as const)('attacks that must be %s', (expected) => {
  test.each(ATTACKS.filter((attack) => attack.expect === expected))('$id: $why', async ({ sql }) => {
    const statement = fill(sql, full);
    const started = performance.now();
    const outcome = await ask(full, sql);
    expect(performance.now() - started, 'ms').toBeLessThan(120_000);
    expect(leaksIn(`${outcome.message}\n${outcome.rows.join('\n')}`, statement)).toEqual([]);
    expect([...REFUSALS, 'OK'], outcome.message).toContain(outcome.status);
    if (expected === 'refused') expect(REFUSALS).toContain(outcome.status);
    if (expected === 'no-leak') expect(outcome).toEqual(await ask(allowed, sql));
  });
});

test.each(QUERIES)('the withheld rows change nothing: $id', async ({ sql }) => {
  const outcome = await ask(full, sql);
  expect(leaksIn(outcome.rows.join('\n'), sql)).toEqual([]);
  expect(outcome).toEqual(await ask(allowed, sql));
});
