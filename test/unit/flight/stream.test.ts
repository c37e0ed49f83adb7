import { connect } from 'node:http2';
import { type Metadata, Metadata as MetadataClass, type StatusObject, status } from '@grpc/grpc-js';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { SluiceError } from '#src/errors.js';
import { encodeTaskTicket } from '#src/wire/index.js';
import { connectFlight, failureOf, RawClient } from '../../support/flight-client.ts';
import { encode } from '../../support/flight-messages.ts';
import { eventually, type Fake, startFake } from './fakes.ts';

const SERVICE = '/arrow.flight.protocol.FlightService';
const TICKET = encode('Ticket', { ticket: encodeTaskTicket(Buffer.from('t0')) });
/** 1.6 MB a batch: more than every flow-control window on the way. */
const BIG_ROWS = 200_000;

let fake: Fake;
let client: RawClient;

beforeAll(async () => {
  fake = await startFake();
  client = await connectFlight({ port: fake.port, user: 'ada' });
});
beforeEach(async () => {
  fake.source = { batches: 2 };
  fake.planner = {};
  fake.audits.length = 0;
  Object.assign(fake.held, { produced: 0, released: 0, disposed: 0, peak: 0, aborted: 0 });
});
afterAll(async () => {
  client.close();
  await fake[Symbol.asyncDispose]();
});

const allGivenBack = (): boolean => fake.held.disposed === 1 && fake.held.released === fake.held.produced;

describe('a stream', () => {
  test('delivers rows in order out of shared memory and gives every batch back', async () => {
    fake.source = { batches: 5, rows: BIG_ROWS, shared: true };
    const table = await client.table('SELECT 1');
    expect(table.numRows).toBe(5 * BIG_ROWS);
    expect(table.get(987_654)?.toJSON()).toEqual({ n: 987_654, s: 987_654 });
    await eventually(allGivenBack);
    expect(fake.held).toMatchObject({ produced: 5, released: 5, disposed: 1 });
  });

  test('without rows is a schema', async () => {
    fake.source = { batches: 0 };
    expect((await client.table('SELECT 1')).schema.fields.map((field) => field.name)).toEqual(['n', 's']);
  });

  test('of a reader that stalls holds three batches, does not stop other streams, and frees all on cancel', async () => {
    fake.source = { batches: 100, rows: BIG_ROWS, shared: true };
    const stalled = client.stream('DoGet', TICKET);
    stalled.on('error', () => {});
    // The client library takes a few messages by itself.
    await eventually(() => fake.held.produced - fake.held.released === 3);
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(fake.held.produced).toBeLessThan(20);
    expect(fake.held.peak).toBe(3);
    await eventually(() => fake.held.produced - fake.held.released === 3);
    expect((await client.run('CommandGetCatalogs')).numRows).toBe(1);
    stalled.cancel();
    await eventually(allGivenBack);
    expect(fake.held.aborted).toBe(1);
    await eventually(() => fake.audits.some((audit) => audit.method === 'DoGet' && audit.outcome === 'cancelled'));
  });

  test('of a client whose connection breaks frees all', async () => {
    fake.source = { batches: 100, rows: BIG_ROWS, shared: true };
    const session = connect(`http://127.0.0.1:${fake.port}`);
    session.on('error', () => {});
    const authorization = client.authorization ?? '';
    const stalled = session.request({
      ':method': 'POST',
      ':path': `${SERVICE}/DoGet`,
      'content-type': 'application/grpc',
      te: 'trailers',
      authorization,
    });
    stalled.on('error', () => {});
    stalled.end(Buffer.concat([Buffer.from([0, 0, 0, 0, TICKET.length]), TICKET]));
    await eventually(() => fake.held.produced - fake.held.released === 3);
    session.destroy();
    await eventually(allGivenBack);
    expect(fake.audits).toMatchObject([{ method: 'DoGet', outcome: 'cancelled' }]);
  });

  test('cancelled while the source works is aborted and freed', async () => {
    fake.source = { batches: 9, hangAt: 1 };
    const reading = client.stream('DoGet', TICKET);
    reading.on('error', () => {});
    reading.on('data', () => {});
    await eventually(() => fake.held.released === 1);
    reading.cancel();
    await eventually(allGivenBack);
    expect(fake.held.aborted).toBe(1);
  });

  test('whose source fails sends what it had, then the status', async () => {
    fake.source = { batches: 9, failAt: 2 };
    const messages: Buffer[] = [];
    const reading = client.stream('DoGet', TICKET);
    reading.on('data', (message: Buffer) => messages.push(message));
    const end = await new Promise<StatusObject>((resolve) => {
      reading.on('error', () => {});
      reading.on('status', resolve);
    });
    expect([end.code, end.details]).toEqual([status.INVALID_ARGUMENT, 'the statement failed on the data']);
    expect(messages).toHaveLength(3);
    await eventually(allGivenBack);
    expect(fake.audits).toMatchObject([{ method: 'DoGet', outcome: 'error', code: 'sql.runtime', rows: 8 }]);
  });
});

describe('each exit is audited once', () => {
  test('success, with rows and bytes', async () => {
    await client.collect('DoGet', TICKET);
    expect(fake.audits).toMatchObject([
      {
        method: 'DoGet',
        principal: 'ada',
        command: 'TicketStatementQuery',
        outcome: 'ok',
        queryId: 'q1',
        statement: 'SELECT 1',
        epoch: 3,
        fingerprint: 'f1',
        rows: 8,
      },
    ]);
    expect(fake.audits[0]?.bytes).toBeGreaterThan(64);
    expect(fake.audits[0]?.peer).toMatch(/^127\.0\.0\.1:\d+$/);
  });

  test('refused authentication', async () => {
    const stranger = new RawClient({ port: fake.port });
    expect(await failureOf(stranger.collect('DoGet', TICKET))).toMatchObject({ status: 'UNAUTHENTICATED' });
    stranger.authorization = 'Bearer AAAA';
    expect(await failureOf(stranger.collect('DoGet', TICKET))).toEqual({
      status: 'UNAUTHENTICATED',
      message: 'the bearer token is not valid',
    });
    stranger.close();
    expect(fake.audits).toMatchObject([
      { outcome: 'refused', code: 'auth.missing' },
      { outcome: 'refused', code: 'auth.invalid' },
    ]);
  });

  test('a refusal of the planner, with the statement', async () => {
    fake.planner = { plan: async () => Promise.reject(new SluiceError('dataset.unknown', 'no dataset demo.x', new Error('hidden cause'))) };
    expect(await failureOf(client.table('SELECT * FROM demo.x'))).toEqual({ status: 'NOT_FOUND', message: 'no dataset demo.x' });
    expect(fake.audits).toMatchObject([
      { outcome: 'refused', statement: 'SELECT * FROM demo.x', code: 'dataset.unknown', cause: 'Error: hidden cause' },
    ]);
  });

  test('a fault of ours: the client sees the request id only', async () => {
    fake.planner = { plan: async () => Promise.reject(new Error('secret /path/to/data')) };
    const { status: name, message } = await failureOf(client.table('SELECT 1'));
    expect(name).toBe('INTERNAL');
    expect(message).toBe(`internal error, request ${fake.audits[0]?.requestId}`);
    expect(fake.audits).toMatchObject([{ outcome: 'error', code: 'server.internal', cause: 'Error: secret /path/to/data' }]);
  });

  test('a deadline', async () => {
    fake.source = { batches: 9, hangAt: 1 };
    const identity = (bytes: Buffer): Buffer => bytes;
    const call = client.grpc.makeServerStreamRequest(`${SERVICE}/DoGet`, identity, identity, Buffer.from(TICKET), client.metadata(), {
      deadline: Date.now() + 3000,
    });
    call.on('data', () => {});
    const code = await new Promise<number>((resolve) => call.on('error', (error: { code?: number }) => resolve(error.code ?? -1)));
    expect(code).toBe(status.DEADLINE_EXCEEDED);
    await eventually(allGivenBack);
    expect(fake.audits).toMatchObject([{ outcome: 'cancelled' }]);
  });

  test('a deadline of a reader that stalls', async () => {
    // More than any machine sends in the time: the client's library takes in what it is given.
    fake.source = { batches: 1_000_000, rows: BIG_ROWS, shared: true };
    const identity = (bytes: Buffer): Buffer => bytes;
    const call = client.grpc.makeServerStreamRequest(`${SERVICE}/DoGet`, identity, identity, Buffer.from(TICKET), client.metadata(), {
      deadline: Date.now() + 3000,
    });
    call.on('error', () => {});
    await eventually(allGivenBack);
    expect(fake.audits).toMatchObject([{ outcome: 'cancelled' }]);
  });
});

describe('headers', () => {
  test('every response carries a request id and a fresh bearer that works', async () => {
    const { headers } = await rpc('GetFlightInfo', encode('FlightDescriptor', { type: 2, cmd: Buffer.from('x') }), client.metadata());
    const { headers: ok } = await rpc('DoGet', TICKET, client.metadata());
    for (const found of [headers, ok]) {
      expect(found.get('x-request-id')[0]).toMatch(/^[0-9a-f-]{36}$/);
      const metadata = new MetadataClass();
      metadata.set('authorization', found.get('authorization')[0] ?? '');
      expect((await rpc('DoGet', TICKET, metadata)).code).toBe(status.OK);
    }
  });

  test('a refused caller gets no bearer', async () => {
    const { headers, code } = await rpc('DoGet', TICKET, new MetadataClass());
    expect(code).toBe(status.UNAUTHENTICATED);
    expect(headers.get('authorization')).toEqual([]);
    expect(headers.get('x-request-id')).toHaveLength(1);
  });

  test('Basic works on every method too', async () => {
    const metadata = new MetadataClass();
    metadata.set('authorization', `Basic ${Buffer.from('ada:ada-demo').toString('base64')}`);
    expect((await rpc('DoGet', TICKET, metadata)).code).toBe(status.OK);
  });
});

describe('Handshake', () => {
  const padded = Buffer.from('ada:ada-demo').toString('base64');

  test.each([
    ['padded, no message', `Basic ${padded}`, []],
    ['unpadded, no message', `Basic ${padded.replace(/=+$/, '')}`, []],
    ['one empty message', `Basic ${padded}`, [Buffer.alloc(0)]],
    ['one full message', `Basic ${padded}`, [encode('HandshakeRequest', { protocol_version: 1, payload: Buffer.from('x') })]],
  ])('%s', async (_, authorization, messages) => {
    const { headers, code } = await handshake(authorization, messages);
    expect(code).toBe(status.OK);
    expect(headers.get('authorization')[0]).toMatch(/^Bearer \S+$/);
    expect(fake.audits).toMatchObject([{ method: 'Handshake', principal: 'ada', outcome: 'ok' }]);
  });

  test('with a bearer', async () => {
    expect((await handshake(client.authorization ?? '', [])).code).toBe(status.OK);
  });

  test('with a wrong password or none', async () => {
    expect((await handshake(`Basic ${Buffer.from('ada:x').toString('base64')}`, [])).code).toBe(status.UNAUTHENTICATED);
    expect((await handshake('', [])).code).toBe(status.UNAUTHENTICATED);
  });
});

interface Answer {
  /** Headers and trailers together, as drivers look at them. */
  readonly headers: Metadata;
  readonly code: number;
}

function rpc(method: string, request: Uint8Array, metadata: Metadata): Promise<Answer> {
  const identity = (bytes: Buffer): Buffer => bytes;
  return answerOf(client.grpc.makeServerStreamRequest(`${SERVICE}/${method}`, identity, identity, Buffer.from(request), metadata));
}

function handshake(authorization: string, messages: readonly Uint8Array[]): Promise<Answer> {
  const metadata = new MetadataClass();
  if (authorization !== '') metadata.set('authorization', authorization);
  const identity = (bytes: Buffer): Buffer => bytes;
  const call = client.grpc.makeBidiStreamRequest(`${SERVICE}/Handshake`, identity, identity, metadata);
  for (const message of messages) call.write(Buffer.from(message));
  call.end();
  return answerOf(call);
}

function answerOf(call: NodeJS.ReadableStream): Promise<Answer> {
  const headers = new MetadataClass();
  return new Promise((resolve) => {
    call.on('metadata', (found: Metadata) => headers.merge(found));
    call.on('data', () => {});
    call.on('error', () => {});
    call.on('status', (end: StatusObject) => {
      if (headers.get('x-request-id').length === 0) headers.merge(end.metadata);
      resolve({ headers, code: end.code });
    });
  });
}
