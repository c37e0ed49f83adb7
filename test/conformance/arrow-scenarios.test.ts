/**
 * Arrow's own integration scenarios: arrow-go's client against a server made of Sluice's Flight layer (`npm run scenario -- NAME HOST:PORT`).
 * What Sluice refuses of them (Substrait, transactions, savepoints) it refuses with UNIMPLEMENTED and a sentence.
 */
import { execFile, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startScenario } from '../scenario/scenario.ts';
import { connectFlight, failureOf, RawClient } from '../support/flight-client.ts';
import { decode, decodeAny, encode, encodeAny, type FlightInfo } from '../support/flight-messages.ts';
import { frames, partsOf, SAMPLE_TABLES } from '../support/hostile/arrow-streams.ts';
import { delimited } from '../support/hostile/protobuf-bytes.ts';
import { rawCall } from '../support/hostile/raw-call.ts';
import { SCENARIO_CLIENT_BINARY, TESTBED } from '../support/testbed.mjs';

interface Run {
  readonly code: number | null;
  readonly output: string;
}

/** The client tries three times before it gives up with code 2. */
async function runClient(scenario: string, port: number, ...more: readonly string[]): Promise<Run> {
  const child = spawn(SCENARIO_CLIENT_BINARY, ['-host', '127.0.0.1', '-port', String(port), '-scenario', scenario, ...more]);
  const closed = new Promise<number | null>((resolve, reject) => child.once('error', reject).once('close', resolve));
  const [stdout, stderr, code] = await Promise.all([text(child.stdout), text(child.stderr), closed]);
  return { code, output: stdout + stderr };
}

describe("arrow-go's client passes", () => {
  test.each([
    'auth:basic_proto',
    'middleware',
    'ordered',
    'expiration_time:do_get',
    'expiration_time:list_actions',
    'expiration_time:cancel_flight_info',
    'expiration_time:renew_flight_endpoint',
    'location:reuse_connection',
    'session_options',
    'poll_flight_info',
    'app_metadata_flight_info_endpoint',
    'flight_sql',
    // But for its transaction, temporary table and options, which are left out on the way: see below.
    'flight_sql:ingestion',
  ])('%s', async (scenario) => {
    await using server = await startScenario(scenario, '127.0.0.1', 0);
    const { code, output } = await runClient(scenario, server.port);
    expect(output).not.toContain('panic');
    expect(code, output).toBe(0);
  });

  test('the scenario without a name: rows and their metadata come back as they were put', async () => {
    const directory = await mkdtemp(join(TESTBED, 'scenario-'));
    try {
      const path = join(directory, 'rows.json');
      await writeFile(path, JSON.stringify(ROWS));
      await using server = await startScenario('', '127.0.0.1', 0);
      const { code, output } = await runClient('', server.port, '-path', path);
      expect(code, output).toBe(0);
      // The client does not report what it finds wrong in the rows, so they are looked at here as well.
      await using client = new RawClient({ port: server.port });
      const descriptor = encode('FlightDescriptor', { type: 1, path: [path] });
      const info = decode<FlightInfo>('FlightInfo', await client.unary('GetFlightInfo', descriptor));
      const [endpoint] = info.endpoint;
      expect(endpoint?.location).toEqual([{ uri: `grpc+tcp://127.0.0.1:${server.port}` }]);
      const table = await client.get(endpoint?.ticket.ticket ?? new Uint8Array());
      expect(table.toArray().map((row) => row?.toJSON())).toEqual([{ n: 1 }, { n: 2 }, { n: null }]);
    } finally {
      await rm(directory, { recursive: true });
    }
  });
});

/** Arrow's integration format: one int32 column in two batches. */
const ROWS = {
  schema: { fields: [{ name: 'n', type: { name: 'int', isSigned: true, bitWidth: 32 }, nullable: true, children: [] }] },
  batches: [
    { count: 2, columns: [{ name: 'n', count: 2, VALIDITY: [1, 1], DATA: [1, 2] }] },
    { count: 1, columns: [{ name: 'n', count: 1, VALIDITY: [0], DATA: [0] }] },
  ],
};

test('npm run scenario: the server as a program', async () => {
  // What the script does, but for the build of the product, which other tests have loaded.
  await promisify(execFile)('npx', ['tsc', '-p', 'test/scenario/tsconfig.json']);
  const program = join(TESTBED, 'scenario', 'test', 'scenario', 'main.js');
  const child = spawn(process.execPath, [program, 'ordered', '127.0.0.1:0'], { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = new Promise((resolve) => child.once('close', resolve));
  try {
    const port = await new Promise<number>((resolve, reject) => {
      createInterface({ input: child.stdout }).on('line', (line) =>
        resolve(Number(/^scenario ordered on 127\.0\.0\.1:(\d+)$/.exec(line)?.[1])),
      );
      child.once('close', () => reject(new Error('the scenario server ended')));
    });
    expect(await runClient('ordered', port)).toMatchObject({ code: 0 });
  } finally {
    child.kill('SIGTERM');
    expect(await ended).toBe(0);
  }
});

test('do_exchange:echo: every message comes back with its metadata', async () => {
  await using server = await startScenario('do_exchange:echo', '127.0.0.1', 0);
  await using client = new RawClient({ port: server.port });
  for (const table of SAMPLE_TABLES) {
    const sent = frames(partsOf(table), { type: 2, cmd: Buffer.from('echo') }).map((frame, index) => {
      const data = decode<Readonly<Record<string, unknown>>>('FlightData', frame);
      return encode('FlightData', { ...data, app_metadata: Buffer.from(String(index)) });
    });
    const { status, messages } = await rawCall(client, { method: 'DoExchange', messages: sent });
    expect(status).toBe('OK');
    const content = (message: Uint8Array): unknown => {
      const { flight_descriptor: _, ...rest } = decode<Readonly<Record<string, unknown>>>('FlightData', message);
      return rest;
    };
    expect(messages.map(content)).toEqual(sent.map(content));
  }
});

describe('flight_sql:ingestion as it is', () => {
  test('is refused for its transaction, in words', async () => {
    await using server = await startScenario('flight_sql:ingestion:strict', '127.0.0.1', 0);
    const { code, output } = await runClient('flight_sql:ingestion', server.port);
    expect(code).not.toBe(0);
    expect(output).toMatch(/code = Unimplemented desc = a transaction is not supported: \S+/);
  });

  test.each([
    ['a transaction', { transaction_id: Buffer.from('123') }],
    ['a temporary table', { temporary: true }],
    ['options', { options: { key1: 'val1' } }],
  ])('%s alone is refused too, and the rest of the command is not', async (_what, extra) => {
    await using server = await startScenario('flight_sql:ingestion:strict', '127.0.0.1', 0);
    await using client = new RawClient({ port: server.port });
    const ingest = {
      table: 'test_table',
      schema: 'test_schema',
      catalog: 'test_catalog',
      table_definition_options: { if_not_exist: 1, if_exists: 3 },
    };
    const put = (fields: Readonly<Record<string, unknown>>): ReturnType<typeof rawCall> =>
      rawCall(client, {
        method: 'DoPut',
        messages: [encode('FlightData', { flight_descriptor: { type: 2, cmd: encodeAny('CommandStatementIngest', fields) } })],
      });
    const refused = await put({ ...ingest, ...extra });
    expect(refused).toMatchObject({ status: 'UNIMPLEMENTED', message: expect.stringMatching(/is not supported: \S+/) });
    expect((await put(ingest)).message).not.toMatch(/is not supported/);
  });
});

describe('flight_sql:extension', () => {
  let server: Awaited<ReturnType<typeof startScenario>>;
  let client: RawClient;

  beforeAll(async () => {
    server = await startScenario('flight_sql:extension', '127.0.0.1', 0);
    client = await connectFlight({ port: server.port });
  });
  afterAll(async () => {
    client?.close();
    await server?.[Symbol.asyncDispose]();
  });

  test('ends at its first question: SqlInfo tells what the server is, not what the scenario wants', async () => {
    const { code, output } = await runClient('flight_sql:extension', server.port);
    expect(code).not.toBe(0);
    expect(output).toMatch(/did not match/);
    const info = new Map(
      (await client.run('CommandGetSqlInfo', { info: [4, 5, 8, 9] })).toArray().map((row) => [row?.['info_name'], row?.['value']]),
    );
    expect([...info]).toEqual([
      [4, true],
      [5, false],
      [8, 0],
      [9, true],
    ]);
  });

  /** `plan` and its version, as the client sends them. */
  const substrait = (name: string): Uint8Array => {
    const plan = Buffer.concat([delimited(1, Buffer.from('plan')), delimited(2, Buffer.from('version'))]);
    return encode('Any', { type_url: `type.googleapis.com/arrow.flight.protocol.sql.${name}`, value: delimited(1, plan) });
  };

  test('Substrait is refused, wherever it may come', async () => {
    const cmd = substrait('CommandStatementSubstraitPlan');
    const descriptor = encode('FlightDescriptor', { type: 2, cmd });
    const expected = { status: 'UNIMPLEMENTED', message: expect.stringMatching(/^Substrait is not supported: send SQL/) };
    for (const method of ['GetFlightInfo', 'GetSchema', 'PollFlightInfo'])
      expect(await failureOf(client.unary(method, descriptor)), method).toEqual(expected);
    const body = substrait('ActionCreatePreparedSubstraitPlanRequest');
    expect(await failureOf(client.action('CreatePreparedSubstraitPlan', body))).toEqual(expected);
    const put = encode('FlightData', { flight_descriptor: { type: 2, cmd } });
    expect(await rawCall(client, { method: 'DoPut', messages: [put] })).toMatchObject(expected);
  });

  test('transactions and savepoints are refused, and so is a statement in one', async () => {
    for (const type of ['BeginTransaction', 'EndTransaction', 'BeginSavepoint', 'EndSavepoint'])
      expect(await failureOf(client.action(type, new Uint8Array())), type).toEqual({
        status: 'UNIMPLEMENTED',
        message: expect.stringMatching(/^a (transaction|savepoint) is not supported: each statement is its own/),
      });
    const inTransaction = { query: 'SELECT STATEMENT', transaction_id: Buffer.from('transaction_id') };
    const expected = { status: 'UNIMPLEMENTED', message: expect.stringMatching(/^a transaction is not supported/) };
    expect(await failureOf(client.info('CommandStatementQuery', inTransaction))).toEqual(expected);
    const body = encodeAny('ActionCreatePreparedStatementRequest', inTransaction);
    expect(await failureOf(client.action('CreatePreparedStatement', body))).toEqual(expected);
  });

  test('CancelQuery cancels', async () => {
    const descriptor = encode('FlightDescriptor', { type: 2, cmd: encodeAny('CommandStatementQuery', { query: 'SELECT STATEMENT' }) });
    const info = await client.unary('GetFlightInfo', descriptor);
    const [answer] = await client.action('CancelQuery', encodeAny('ActionCancelQueryRequest', { info }));
    expect(decodeAny('ActionCancelQueryResult', answer ?? new Uint8Array())).toEqual({ result: 1 });
  });
});
