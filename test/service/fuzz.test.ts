/**
 * More than ten thousand broken requests against a real server: protobufs, Arrow streams, credentials, cookies. Each is answered or clearly
 * refused and audited once; nobody else notices, nothing is left, and the process lives (invariants I5, I6, I8, I11).
 * FUZZ_SEED=n tries other inputs, FUZZ_TIMES=n as many times as many.
 */
import type { Table } from 'apache-arrow';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { connectFlight, type RawClient } from '../support/flight-client.ts';
import { decode, encode, encodeAny, type FlightInfo } from '../support/flight-messages.ts';
import { anyRows, brokenStream, frames, partsOf, SAMPLE_TABLES } from '../support/hostile/arrow-streams.ts';
import {
  actionBytes,
  anyMessage,
  commandBytes,
  delimited,
  descriptorBytes,
  nested,
  ticketBytes,
  varint,
} from '../support/hostile/protobuf-bytes.ts';
import { expectDecent, METHODS, type RawRequest, rawCall } from '../support/hostile/raw-call.ts';
import { expectNothingLeft, startWatchedServer, type WatchedServer } from '../support/hostile/watched-server.ts';

const SEED = Number(process.env['FUZZ_SEED'] ?? 20_260);
/** Machines differ, and so does what else they do; nothing here waits for a clock. */
const TIMEOUT_MS = 300_000;
const TIMES = Number(process.env['FUZZ_TIMES'] ?? 1);
/** Sent at once. */
const VOLLEY = 20;
/** The engine's limit and the process itself, MB. */
const PEAK_MB = 1500;
const SETTINGS = { SLUICE_MEMORY_LIMIT: '512MB', SLUICE_TEMP_LIMIT: '64MB', SLUICE_ENGINE_THREADS: '4' };

let sluice: WatchedServer;
let client: RawClient;
let ids: string[] = [];
let sent = 0;
let holdsBefore: ReturnType<WatchedServer['holds']>;

beforeAll(async () => {
  sluice = await startWatchedServer(SETTINGS);
  client = await connectFlight({ port: sluice.port, user: 'steward' });
  await Promise.all(Array.from({ length: VOLLEY }, () => client.rows('SELECT max(amount) AS m FROM demo.orders')));
  holdsBefore = sluice.holds();
});

afterAll(async () => {
  client?.close();
  await sluice?.[Symbol.asyncDispose]();
});

beforeEach(() => {
  ids = [];
});

afterEach(async () => {
  await sluice.expectWell(ids);
  await expectNothingLeft(sluice, holdsBefore, 8);
  expect(sluice.memory().peakMb, 'peak resident memory, MB').toBeLessThan(PEAK_MB);
});

/** Sends `count` requests in volleys, from a fixed seed, and judges every answer. */
async function fuzz(requests: fc.Arbitrary<RawRequest>, count: number, through: RawClient = client): Promise<void> {
  const volley = fc.array(requests, { minLength: VOLLEY, maxLength: VOLLEY });
  const property = fc.asyncProperty(volley, async (all) => {
    sent += all.length;
    const answers = await Promise.all(all.map((request) => rawCall(through, request)));
    for (const [index, answer] of answers.entries()) {
      if (answer.requestId !== undefined) ids.push(answer.requestId);
      expectDecent(answer, all[index] as RawRequest);
    }
  });
  const { failed, errorInstance } = await fc.check(property, { seed: SEED, numRuns: (count * TIMES) / VOLLEY, endOnFailure: true });
  // The judge's own words name the request; fast-check would print the whole volley.
  if (failed) throw errorInstance;
}

/** One request; its first message when it went well. */
async function judged(request: RawRequest): Promise<Buffer | undefined> {
  sent++;
  const answer = await rawCall(client, request);
  ids.push(answer.requestId ?? '');
  expectDecent(answer, request);
  return answer.status === 'OK' ? answer.messages[0] : undefined;
}

const one = (method: string, message: fc.Arbitrary<Uint8Array>): fc.Arbitrary<RawRequest> =>
  message.map((bytes) => ({ method, messages: [bytes] }));
const descriptorMethods = fc.constantFrom('GetFlightInfo', 'GetSchema', 'PollFlightInfo');

describe('protobufs', { timeout: TIMEOUT_MS }, () => {
  test('any bytes, any number of messages, to every method', async () => {
    const message = fc.oneof(fc.uint8Array({ maxLength: 300 }), anyMessage);
    const request = fc.record({ method: fc.constantFrom(...METHODS), messages: fc.array(message, { maxLength: 3 }) });
    await fuzz(request, 1400);
  });

  test('descriptors and commands', () =>
    fuzz(
      descriptorMethods.chain((method) => one(method, descriptorBytes)),
      2600,
    ));

  test('tickets', async () => {
    const info = await client.info('CommandStatementQuery', { query: 'SELECT order_id FROM demo.orders LIMIT 3' });
    const { prepared_statement_handle: handle } = await client.prepare('SELECT 1 AS one');
    const session = Buffer.from((client.authorization ?? '').replace('Bearer ', ''), 'base64');
    await fuzz(one('DoGet', ticketBytes([info.endpoint[0]?.ticket.ticket ?? new Uint8Array(), handle, session])), 1600);
  });

  test('actions', async () => {
    const { prepared_statement_handle: handle } = await client.prepare('SELECT 1 AS one');
    const descriptor = encode('FlightDescriptor', { type: 2, cmd: encodeAny('CommandStatementQuery', { query: 'SELECT 1' }) });
    const info = await client.unary('GetFlightInfo', descriptor);
    const endpoint = (await client.info('CommandStatementQuery', { query: 'SELECT 1' })).endpoint[0];
    const bodies: [string, Uint8Array][] = [
      ['CreatePreparedStatement', encodeAny('ActionCreatePreparedStatementRequest', { query: 'SELECT ? AS x' })],
      ['ClosePreparedStatement', encodeAny('ActionClosePreparedStatementRequest', { prepared_statement_handle: handle })],
      ['CancelFlightInfo', delimited(1, info)],
      ['RenewFlightEndpoint', delimited(1, encode('FlightEndpoint', { ticket: endpoint?.ticket ?? {} }))],
      [
        'SetSessionOptions',
        delimited(1, Buffer.concat([delimited(1, Buffer.from('schema')), delimited(2, delimited(1, Buffer.from('demo')))])),
      ],
      ['GetSessionOptions', new Uint8Array()],
      ['CloseSession', new Uint8Array()],
    ];
    await fuzz(one('DoAction', actionBytes(bodies)), 2000);
  });

  test('nesting without end', async () => {
    const depths = fc.constantFrom(10, 100, 1000, 10_000, 100_000);
    const deep = fc
      .tuple(fc.integer({ min: 1, max: 4 }), depths, fc.boolean())
      .map(([number, depth, asGroups]) => nested(number, asGroups ? depth : Math.min(depth, 2000), asGroups));
    const shapes = fc.tuple(deep, fc.integer({ min: 0, max: 3 })).map(([bytes, wrapped]) => {
      const url = delimited(1, Buffer.from('type.googleapis.com/arrow.flight.protocol.sql.CommandGetTables'));
      if (wrapped === 0) return bytes;
      const packed = Buffer.concat([url, delimited(2, bytes)]);
      return wrapped === 1 ? encode('Ticket', { ticket: packed }) : encode('FlightDescriptor', { type: 2, cmd: packed });
    });
    await fuzz(
      fc.tuple(fc.constantFrom(...METHODS), shapes).map(([method, bytes]) => ({ method, messages: [bytes] })),
      200,
    );
  });

  test('long lists and long texts', async () => {
    const codes = Buffer.concat(Array.from({ length: 200_000 }, (_, code) => Buffer.concat([varint(8), varint(code)])));
    const types = Buffer.concat(Array.from({ length: 50_000 }, () => delimited(4, Buffer.from('TABLE'))));
    const command = (name: string, body: Uint8Array): Uint8Array =>
      encode('FlightDescriptor', {
        type: 2,
        cmd: encode('Any', { type_url: `type.googleapis.com/arrow.flight.protocol.sql.${name}`, value: body }),
      });
    const long = [
      command('CommandGetSqlInfo', codes),
      command('CommandGetTables', types),
      command('CommandGetTables', delimited(3, Buffer.alloc(1_000_000, '%'))),
      command('CommandGetTables', delimited(3, Buffer.alloc(1_000_000, '%_\\'))),
      encode('FlightDescriptor', { type: 1, path: Array.from({ length: 100_000 }, () => 'x') }),
    ];
    for (const message of long)
      for (const method of ['GetFlightInfo', 'GetSchema', 'PollFlightInfo', 'DoAction']) {
        const request = { method, messages: [message] };
        const answer = await rawCall(client, request);
        expectDecent(answer, request);
        ids.push(answer.requestId ?? '');
      }
  });
});

describe('Arrow streams', { timeout: TIMEOUT_MS }, () => {
  test('parameters, updates, exchange', async () => {
    const { prepared_statement_handle: handle } = await client.prepare('SELECT ?::INTEGER AS a, ?::VARCHAR AS b');
    const { prepared_statement_handle: single } = await client.prepare('SELECT count(*) AS n FROM demo.orders WHERE amount > ?');
    const commands = [
      encodeAny('CommandPreparedStatementQuery', { prepared_statement_handle: handle }),
      encodeAny('CommandPreparedStatementQuery', { prepared_statement_handle: single }),
      encodeAny('CommandPreparedStatementUpdate', { prepared_statement_handle: single }),
      encodeAny('CommandStatementUpdate', { query: 'DROP TABLE IF EXISTS scratch.nothing' }),
      Buffer.from('echo'),
    ];
    const streams = brokenStream(commands.map((cmd) => ({ type: 2, cmd })));
    const methods = fc.constantFrom('DoPut', 'DoPut', 'DoPut', 'DoExchange');
    await fuzz(fc.record({ method: methods, messages: streams }), 1800);
  });

  test('ingest', async () => {
    const into = (schema: string, table: string, if_exists: number): Uint8Array =>
      encodeAny('CommandStatementIngest', { table, schema, table_definition_options: { if_not_exist: 1, if_exists } });
    const commands = [into('scratch', 'fuzzed', 3), into('scratch', 'grown', 2), into('demo', 'orders', 3), into('', '', 3)];
    const streams = brokenStream(commands.map((cmd) => ({ type: 2, cmd })));
    await fuzz(fc.record({ method: fc.constant('DoPut'), messages: streams }), 100);
    // Into governed data nothing was put.
    expect(await client.rows('SELECT count(*) AS n FROM demo.orders')).toEqual([{ n: 1_000_000 }]);
  });

  test('parameters of every kind, bound and run', async () => {
    const statements = ['SELECT ?::VARCHAR AS a', 'SELECT count(*) AS n FROM demo.orders WHERE amount > ?', 'SELECT 1 WHERE ? = 1'];
    const handles = await Promise.all(statements.map(async (sql) => (await client.prepare(sql)).prepared_statement_handle));
    const bind = (handle: Uint8Array, table: Table): RawRequest => ({
      method: 'DoPut',
      messages: frames(partsOf(table), { type: 2, cmd: encodeAny('CommandPreparedStatementQuery', { prepared_statement_handle: handle }) }),
    });
    const run = (handle: Uint8Array): RawRequest => ({
      method: 'GetFlightInfo',
      messages: [
        encode('FlightDescriptor', { type: 2, cmd: encodeAny('CommandPreparedStatementQuery', { prepared_statement_handle: handle }) }),
      ],
    });
    const property = fc.asyncProperty(fc.constantFrom(...handles), anyRows, async (handle, table) => {
      const bound = await judged(bind(handle, table));
      if (bound === undefined) return;
      const { app_metadata } = decode<{ app_metadata: Uint8Array }>('PutResult', bound);
      const { prepared_statement_handle } = decode<{ prepared_statement_handle: Uint8Array }>('DoPutPreparedStatementResult', app_metadata);
      const planned = await judged(run(prepared_statement_handle));
      if (planned === undefined) return;
      for (const { ticket } of decode<FlightInfo>('FlightInfo', planned).endpoint)
        await judged({ method: 'DoGet', messages: [encode('Ticket', ticket)] });
    });
    const { failed, errorInstance } = await fc.check(property, { seed: SEED, numRuns: 300 * TIMES, endOnFailure: true });
    if (failed) throw errorInstance;
  });

  test('any command with a valid stream', async () => {
    const tables = fc.constantFrom(...SAMPLE_TABLES).map(partsOf);
    const request = fc
      .tuple(fc.constantFrom('DoPut', 'DoExchange'), commandBytes, tables)
      .map(([method, cmd, parts]) => ({ method, messages: frames(parts, { type: 2, cmd }) }));
    await fuzz(request, 400);
  });
});

describe('headers', { timeout: TIMEOUT_MS }, () => {
  /** Anything that HTTP/2 lets through. */
  const headerText = fc.oneof(
    fc.string({ maxLength: 200 }).map((text) => text.replace(/[^\x20-\x7e]/g, '')),
    fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes).toString('base64')),
  );

  test('authorization', async () => {
    await using nobody = await connectFlight({ port: sluice.port });
    const token = (client.authorization ?? '').replace('Bearer ', '');
    const scheme = fc.constantFrom('Bearer ', 'Bearer', 'bearer ', 'Basic', 'Digest ', 'Negotiate ', '');
    const cut = fc.nat(token.length).map((at) => `Bearer ${token.slice(0, at)}`);
    const flipped = fc
      .nat(token.length - 1)
      .map((at) => `Bearer ${token.slice(0, at)}${token[at] === 'A' ? 'B' : 'A'}${token.slice(at + 1)}`);
    const authorization = fc.oneof(
      fc.tuple(scheme, headerText).map((parts) => parts.join('')),
      cut.filter((text) => text !== `Bearer ${token}`),
      flipped,
    );
    const message = encode('FlightDescriptor', { type: 2, cmd: encodeAny('CommandGetCatalogs', {}) });
    const request = authorization.map((text) => ({ method: 'GetSchema', messages: [message], headers: { authorization: text } }));
    await fuzz(request, 700, nobody);
  });

  test('cookies and options of the session', async () => {
    const names = fc.constantFrom('arrow_flight_session_id', 'arrow_flight_session_id ', '', 'x', '=', '__proto__');
    const cookie = fc
      .array(
        fc.tuple(names, headerText).map((pair) => pair.join('=')),
        { maxLength: 5 },
      )
      .map((pairs) => pairs.join('; '));
    const name = fc.constantFrom(
      'cookie',
      'x-sluice-schema',
      'x-sluice-strings',
      'x-sluice-endpoints',
      'x-sluice-compression',
      'user-agent',
    );
    const message = encode('FlightDescriptor', { type: 2, cmd: encodeAny('CommandStatementQuery', { query: 'SELECT 1 AS one' }) });
    const request = fc.tuple(name, cookie, headerText).map(([header, pairs, other]) => ({
      method: 'GetFlightInfo',
      messages: [message],
      headers: { [header]: header === 'cookie' ? pairs : other },
    }));
    await fuzz(request, 500);
  });

  test('handshakes of the first kind', async () => {
    await using nobody = await connectFlight({ port: sluice.port });
    const payload = fc.oneof(anyMessage, fc.uint8Array({ maxLength: 60 }));
    const request = payload.map((bytes) => ({ method: 'Handshake', messages: [delimited(2, bytes)] }));
    await fuzz(request, 200, nobody);
  });
});

test('more than ten thousand inputs were sent', () => {
  expect(sent).toBeGreaterThanOrEqual(10_000);
});
