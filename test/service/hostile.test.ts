/** Broken, hostile and greedy requests: each gets a clear error, and the server lives on (invariants I2, I5, I7, I8, I11). */
import { createHash } from 'node:crypto';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { connectFlight, failureOf, type RawClient } from '../support/flight-client.ts';
import { encode, encodeAny } from '../support/flight-messages.ts';
import { expectClear } from '../support/hostile/raw-call.ts';
import { cpuMsOf, PATIENCE } from '../support/patience.ts';
import { startTestServer, type TestServer } from '../support/server.ts';

/** Fits the machine's smallest user: bombs have to hit the limit, not the memory. */
const SETTINGS = { SLUICE_MEMORY_LIMIT: '512MB', SLUICE_TEMP_LIMIT: '64MB', SLUICE_ENGINE_THREADS: '4', SLUICE_MAX_STREAMS: '100' };
/** Bytes without meaning, the same in every run. */
const randomBytes = (length: number): Buffer => createHash('shake256', { outputLength: length }).update(`bytes ${length}`).digest();
/** Compares every order with every order: hours of work. */
const ENDLESS = 'SELECT count(*) FROM demo.orders a, demo.orders b WHERE a.amount < b.amount AND a.order_id % 7 <> b.order_id % 11';

let sluice: TestServer;
let client: RawClient;

beforeAll(async () => {
  sluice = await startTestServer(SETTINGS);
  client = await connectFlight({ port: sluice.port, user: 'steward' });
});

afterAll(async () => {
  client.close();
  await sluice[Symbol.asyncDispose]();
});

afterEach(async () => {
  await using fresh = await connectFlight({ port: sluice.port, user: 'steward' });
  expect(await fresh.rows('SELECT 1 AS alive')).toEqual([{ alive: 1 }]);
});

const REFUSED = ['INVALID_ARGUMENT'];
const nested = (open: string, inner: string, close: string, times: number): string => `${open.repeat(times)}${inner}${close.repeat(times)}`;

describe('statements', () => {
  const statements: Readonly<Record<string, string>> = {
    empty: '',
    blank: ' \n\t ',
    'a comment only': '-- nothing',
    'a semicolon only': ';',
    'a NUL byte': 'SELECT 1\0',
    'a NUL byte inside a literal': "SELECT 'a\0b'",
    'control characters': 'SELECT \u0001 1',
    'a lone surrogate': "SELECT '\ud800' FROM demo.orders WHERE",
    '10 MB': `SELECT '${'x'.repeat(10_000_000)}'`,
    '10 MB of blanks': `SELECT 1${' '.repeat(10_000_000)}`,
    'brackets, deep': `SELECT ${nested('(', '1', ')', 5000)}`,
    'brackets, unbalanced': `SELECT ${'('.repeat(100_000)}`,
    'lists, deep': `SELECT ${nested('[', '1', ']', 3000)}`,
    'NOT, deep': `SELECT ${'NOT '.repeat(20_000)}true`,
    'minus, deep': `SELECT ${'- '.repeat(20_000)}1`,
    'plus, long': `SELECT 1${'+1'.repeat(60_000)}`,
    'subqueries, deep': `SELECT * FROM ${nested('(SELECT * FROM ', 'demo.orders', ') t', 1000)}`,
    'functions, deep': `SELECT ${nested('abs(', '1', ')', 3000)}`,
    'CASE, deep': `SELECT ${nested('CASE WHEN true THEN ', '1', ' END', 2000)}`,
    'UNION, long': `SELECT 1${' UNION ALL SELECT 1'.repeat(20_000)}`,
    'CTEs, nested': `${'WITH a AS ('.repeat(500)}SELECT 1${') SELECT * FROM a'.repeat(500)}`,
    'casts, long': `SELECT 1${'::INTEGER'.repeat(20_000)}`,
    'an IN list, long': `SELECT 1 WHERE 1 IN (${'1,'.repeat(100_000)}1)`,
    'two statements': 'SELECT 1; SELECT 2',
    'two statements, the second hidden': 'SELECT 1;\n--\nDROP TABLE demo.orders',
    UPDATE: 'UPDATE demo.orders SET amount = 0',
    DELETE: 'DELETE FROM demo.orders',
    MERGE: 'MERGE INTO demo.orders USING demo.orders o ON true WHEN MATCHED THEN DELETE',
    'INSERT in a CTE': 'WITH x AS (INSERT INTO demo.orders SELECT * FROM demo.orders RETURNING *) SELECT * FROM x',
    'CREATE VIEW': 'CREATE OR REPLACE VIEW demo.orders AS SELECT 1',
    'CREATE MACRO': 'CREATE MACRO f(x) AS x',
    'CREATE SECRET': "CREATE SECRET s (TYPE s3, KEY_ID 'a', SECRET 'b')",
    ALTER: 'ALTER TABLE demo.orders RENAME TO stolen',
    TRUNCATE: 'TRUNCATE demo.orders',
    COPY: "COPY demo.orders TO '/tmp/stolen.csv'",
    'COPY FROM': "COPY demo.orders FROM '/etc/passwd'",
    ATTACH: "ATTACH '/etc/passwd' AS x",
    DETACH: 'DETACH sluice',
    USE: 'USE memory',
    SET: 'SET threads = 1000; SELECT 1',
    'SET VARIABLE': 'SET VARIABLE sluice_token_key = 1',
    RESET: 'RESET memory_limit',
    PRAGMA: 'PRAGMA database_list',
    CALL: 'CALL duckdb_settings()',
    INSTALL: 'INSTALL httpfs',
    LOAD: "LOAD '/tmp/evil.duckdb_extension'",
    EXPLAIN: 'EXPLAIN SELECT * FROM demo.orders',
    'EXPLAIN ANALYZE': 'EXPLAIN ANALYZE SELECT * FROM demo.orders',
    CHECKPOINT: 'CHECKPOINT',
    EXPORT: "EXPORT DATABASE '/tmp/all'",
    PREPARE: 'PREPARE p AS SELECT 1',
    EXECUTE: 'EXECUTE p',
    BEGIN: 'BEGIN TRANSACTION',
    'a syntax error': 'SELEC 1',
    'an unclosed string': "SELECT 'abc",
    'an unclosed comment': 'SELECT 1 /* never',
    'right-to-left text': 'SELECT \u202e1 FROM',
    'EXPLAIN POLICY of nothing': 'EXPLAIN POLICY',
    'EXPLAIN POLICY of DDL': 'EXPLAIN POLICY DROP TABLE demo.orders',
    'EXPLAIN POLICY twice': 'EXPLAIN POLICY EXPLAIN POLICY SELECT 1',
  };

  test.each([
    ['INSERT INTO demo.orders SELECT * FROM demo.orders', 'NOT_FOUND'],
    ['CREATE TABLE demo.mine AS SELECT 1', 'PERMISSION_DENIED'],
    ['CREATE OR REPLACE TABLE demo.orders AS SELECT 1', 'PERMISSION_DENIED'],
    ['DROP TABLE demo.orders', 'NOT_FOUND'],
  ])('%s: governed data is not written', async (sql, expected) => {
    expectClear(await failureOf(client.table(sql)), [expected], sql);
    expectClear(await failureOf(client.prepare(sql)), [expected], `${sql}, prepared`);
    expect((await client.rows('SELECT count(*) > 1 AS there FROM demo.orders'))[0]).toEqual({ there: true });
  });

  test.each(Object.entries(statements))('%s', async (what, sql) => {
    const started = performance.now();
    expectClear(await failureOf(client.table(sql)), REFUSED, what);
    expectClear(await failureOf(client.prepare(sql)), REFUSED, `${what}, prepared`);
    expect(performance.now() - started, what).toBeLessThan(PATIENCE.timeout);
  });
});

describe('greed', () => {
  const bombs: Readonly<Record<string, string>> = {
    repeat: "SELECT repeat('x', 2000000000)",
    'repeat, computed': "SELECT length(repeat(repeat('x', 100000), 100000))",
    'repeat over rows': 'SELECT sum(length(repeat(name, 1000000))) FROM demo.customers',
    lpad: "SELECT lpad('x', 2000000000, 'y')",
    'range in a cell': 'SELECT range(2000000000)',
    'generate_series in a cell': 'SELECT length(generate_series(1, 10000000000))',
    list_resize: 'SELECT list_resize([1], 2000000000)',
    'list_resize, nested': 'SELECT list_transform(range(100000), x -> range(100000))',
    'a list of everything': 'SELECT list(a.order_id || b.card_number) FROM demo.orders a, demo.orders b',
    'one string of everything': "SELECT string_agg(a.card_number || b.card_number, ',') FROM demo.orders a, demo.orders b",
    'a sort of everything': 'SELECT * FROM demo.orders a, demo.orders b ORDER BY a.amount * b.amount, a.card_number',
    'endless recursion':
      "WITH RECURSIVE t AS (SELECT 1 AS n, repeat('x', 1000) AS s UNION ALL SELECT n + 1, s FROM t) SELECT max(n) FROM (SELECT * FROM t ORDER BY s, n)",
  };

  test.each(Object.entries(bombs))('%s', async (what, sql) => {
    const peakBefore = process.memoryUsage().rss;
    const failure = await failureOf(client.table(sql));
    expectClear(failure, ['INVALID_ARGUMENT', 'RESOURCE_EXHAUSTED'], what);
    expect(process.memoryUsage().rss - peakBefore, `${what}: resident memory`).toBeLessThan(1.5e9);
  });

  test('a cell larger than any message is a clear error, not a broken stream', async () => {
    const sql = "SELECT string_agg(card_number, ',') AS s FROM demo.orders";
    expectClear(await failureOf(client.table(sql)), ['RESOURCE_EXHAUSTED'], 'large cell');
  });
});

describe('bytes', () => {
  const descriptor = encode('FlightDescriptor', { type: 2, cmd: encodeAny('CommandStatementQuery', { query: 'SELECT 1' }) });
  const MALFORMED = ['INVALID_ARGUMENT', 'UNIMPLEMENTED'];

  test('every truncation of a request', async () => {
    for (let length = 0; length < descriptor.length; length++)
      for (const method of ['GetFlightInfo', 'GetSchema'])
        expectClear(await failureOf(client.unary(method, descriptor.subarray(0, length))), MALFORMED, `${method} cut at ${length}`);
  });

  test('random bytes to every method', async () => {
    for (let round = 0; round < 40; round++) {
      const bytes = randomBytes(1 + ((round * 37) % 400));
      for (const method of ['GetFlightInfo', 'GetSchema', 'PollFlightInfo'])
        expectClear(await failureOf(client.unary(method, bytes)), MALFORMED, `${method} ${bytes.toString('hex')}`);
      for (const method of ['DoGet', 'DoAction', 'ListFlights'])
        expectClear(await failureOf(client.collect(method, bytes)), MALFORMED, `${method} ${bytes.toString('hex')}`);
    }
  });

  test('unknown commands, actions and methods are named as unimplemented', async () => {
    expectClear(await failureOf(client.info('CommandStatementUpdate', { query: 'SELECT 1' })), MALFORMED, 'update');
    const unknown = encode('Any', { type_url: 'type.googleapis.com/arrow.flight.protocol.sql.CommandNonsense', value: Buffer.alloc(0) });
    const failure = await failureOf(client.unary('GetFlightInfo', encode('FlightDescriptor', { type: 2, cmd: unknown })));
    expectClear(failure, MALFORMED, 'unknown command');
    for (const type of ['', 'Nonsense', 'BeginTransaction', 'x'.repeat(10_000)])
      expectClear(await failureOf(client.action(type, Buffer.alloc(0))), MALFORMED, `action ${type.slice(0, 20)}`);
    expectClear(
      await failureOf(client.unary('GetFlightInfo', encode('FlightDescriptor', { type: 1, path: ['a', 'demo', 'orders', 'x'] }))),
      MALFORMED,
      'path',
    );
  });

  test('tickets: made up, cut, altered, of another kind', async () => {
    const info = await client.info('CommandStatementQuery', { query: 'SELECT 1 AS one' });
    const ticket = info.endpoint[0]?.ticket.ticket ?? new Uint8Array();
    const { prepared_statement_handle: handle } = await client.prepare('SELECT 1 AS one');
    const session = Buffer.from((client.authorization ?? '').replace('Bearer ', ''), 'base64url');
    const wrong: [string, Uint8Array][] = [
      ['empty', new Uint8Array()],
      ['a prepared statement', handle],
      ['a session token', session],
      ['SQL', Buffer.from('SELECT * FROM demo.orders')],
      ...[1, 16, 64, 4096, 1_000_000].map((size): [string, Uint8Array] => [`${size} random bytes`, randomBytes(size)]),
      ...Array.from({ length: 40 }, (_, i): [string, Uint8Array] => [
        `cut at ${i}`,
        ticket.subarray(0, Math.floor((ticket.length * i) / 40)),
      ]),
      ...Array.from({ length: 60 }, (_, i): [string, Uint8Array] => [
        `bit ${i}`,
        flipBit(ticket, Math.floor((ticket.length * 8 * i) / 60)),
      ]),
    ];
    for (const [what, bytes] of wrong) expectClear(await failureOf(client.get(bytes)), ['INVALID_ARGUMENT'], `ticket: ${what}`);
    expect((await client.get(ticket)).numRows).toBe(1);
  });

  test('prepared handles: made up, altered, a ticket in their place', async () => {
    const { prepared_statement_handle: handle } = await client.prepare('SELECT 1 AS one');
    const info = await client.info('CommandStatementQuery', { query: 'SELECT 1 AS one' });
    const ticket = info.endpoint[0]?.ticket.ticket ?? new Uint8Array();
    for (const bytes of [new Uint8Array(), randomBytes(100), ticket, flipBit(handle, 200), handle.subarray(1)])
      expectClear(
        await failureOf(client.run('CommandPreparedStatementQuery', { prepared_statement_handle: bytes })),
        ['INVALID_ARGUMENT'],
        'handle',
      );
  });

  test('bytes that are no HTTP/2', async () => {
    for (const bytes of [
      Buffer.from('GET / HTTP/1.1\r\n\r\n'),
      randomBytes(5000),
      Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nnonsense'),
      Buffer.alloc(0),
    ])
      await new Promise<void>((resolve) => {
        const socket = connect(sluice.port, '127.0.0.1', () => socket.end(bytes));
        socket.on('error', () => resolve());
        socket.on('close', () => resolve());
        socket.setTimeout(1000, () => socket.destroy());
        socket.resume();
      });
  });
});

describe('credentials', () => {
  test('no method answers without them', async () => {
    await using nobody = await connectFlight({ port: sluice.port });
    const descriptor = encode('FlightDescriptor', { type: 2, cmd: encodeAny('CommandGetTables', {}) });
    for (const method of ['GetFlightInfo', 'GetSchema'])
      expectClear(await failureOf(nobody.unary(method, descriptor)), ['UNAUTHENTICATED'], method);
    for (const method of ['DoGet', 'DoAction'])
      expectClear(await failureOf(nobody.collect(method, encode('Ticket', { ticket: randomBytes(10) }))), ['UNAUTHENTICATED'], method);
  });

  test('broken authorization headers', async () => {
    const basic = (text: string): string => `Basic ${Buffer.from(text).toString('base64')}`;
    const headers = [
      'Bearer',
      'Bearer ',
      'Bearer x',
      `Bearer ${randomBytes(64).toString('base64url')}`,
      'Basic',
      'Basic !!!',
      basic('steward'),
      basic('steward:'),
      basic(':'),
      basic('steward:wrong'),
      basic('nobody:nobody-demo'),
      basic(`${'x'.repeat(5000)}:y`),
      'Digest x',
      'x',
    ];
    for (const authorization of headers) {
      await using other = await connectFlight({ port: sluice.port, authorization });
      expectClear(await failureOf(other.rows('SELECT 1')), ['UNAUTHENTICATED'], authorization.slice(0, 40));
    }
  });

  test('unknown users and wrong passwords look the same', async () => {
    const unknown = await failureOf(connectFlight({ port: sluice.port, user: 'nobody' }));
    const wrong = await failureOf(connectFlight({ port: sluice.port, user: 'steward', password: 'wrong' }));
    expect(unknown).toEqual(wrong);
  });
});

describe('streams', () => {
  test('120 streams reset in the middle free what they held', async () => {
    const info = await client.info('CommandStatementQuery', { query: 'SELECT * FROM demo.orders' });
    const ticket = info.endpoint[0]?.ticket.ticket ?? new Uint8Array();
    for (let round = 0; round < 120; round++) await readOneThenCancel(client, ticket);
    await vi.waitFor(async () => expect(await client.rows('SELECT count(*) AS n FROM demo.orders')).toEqual([{ n: 1_000_000 }]), PATIENCE);
  });

  test('a cancelled query stops computing', async () => {
    const ticket = (await client.info('CommandStatementQuery', { query: ENDLESS })).endpoint[0]?.ticket.ticket ?? new Uint8Array();
    for (let round = 0; round < 8; round++) {
      const stream = client.openStream(ticket);
      stream.on('error', () => {});
      stream.resume();
      await sleep(150);
      stream.cancel();
    }
    // The query would compute for hours.
    await vi.waitFor(
      async () => expect(await cpuMsOf(() => sleep(1000)), 'CPU ms in a second after the cancel').toBeLessThan(400),
      PATIENCE,
    );
  });

  test('a connection that goes away ends its queries', async () => {
    await using wire = await cuttableWire(sluice.port);
    await using other = await connectFlight({ port: wire.port, user: 'steward' });
    const ticket = (await other.info('CommandStatementQuery', { query: ENDLESS })).endpoint[0]?.ticket.ticket ?? new Uint8Array();
    for (let i = 0; i < 4; i++) {
      const stream = other.openStream(ticket);
      stream.on('error', () => {});
      stream.resume();
    }
    await sleep(300);
    wire.cut();
    // As long as they run there is no thread for it, and they would run for hours.
    expect(await client.rows('SELECT count(*) AS n FROM demo.orders')).toEqual([{ n: 1_000_000 }]);
  });
});

/** A TCP relay whose connections can be torn as a network does, without a word of HTTP/2. */
async function cuttableWire(target: number): Promise<AsyncDisposable & { readonly port: number; cut(): void }> {
  const sockets = new Set<Socket>();
  const relay = createServer((near) => {
    const far = connect(target, '127.0.0.1');
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on('error', () => {});
    }
    near.pipe(far).pipe(near);
  });
  await new Promise<void>((resolve) => relay.listen(0, '127.0.0.1', resolve));
  const cut = (): void => {
    for (const socket of sockets) socket.resetAndDestroy();
    sockets.clear();
  };
  return {
    port: (relay.address() as AddressInfo).port,
    cut,
    [Symbol.asyncDispose]: async () => {
      cut();
      await new Promise((resolve) => relay.close(resolve));
    },
  };
}

function flipBit(bytes: Uint8Array, bit: number): Uint8Array {
  const copy = Uint8Array.from(bytes);
  const index = Math.min(copy.length - 1, bit >> 3);
  copy[index] = (copy[index] ?? 0) ^ (1 << (bit & 7));
  return copy;
}

async function readOneThenCancel(client: RawClient, ticket: Uint8Array): Promise<void> {
  const stream = client.openStream(ticket);
  const ended = new Promise<void>((resolve) => stream.on('error', () => resolve()).on('end', () => resolve()));
  await Promise.race([new Promise((resolve) => stream.once('data', resolve)), ended]);
  stream.cancel();
  await ended;
}
