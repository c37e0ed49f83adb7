import { status } from '@grpc/grpc-js';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { SluiceError } from '#src/errors.js';
import type { Plan } from '#src/planner/index.js';
import { encodePending, encodeRetry } from '#src/wire/index.js';
import { connectFlight, failureOf, type RawClient } from '../../support/flight-client.ts';
import { decode, encode, encodeAny, type PollInfo } from '../../support/flight-messages.ts';
import { call, type Fake, fakeAudit, rowSchema, sealer, startFake } from './fakes.ts';

let fake: Fake;
let client: RawClient;
/** Ends planning, when it waits. */
let finish: (plan: Plan | Error) => void = () => {};
let plans = 0;

beforeAll(async () => {
  fake = await startFake();
  client = await connectFlight({ port: fake.port, user: 'ada' });
});
beforeEach(() => {
  plans = 0;
  fake.laterMs = 0;
  fake.planner = {};
  fake.audits.length = 0;
});
afterAll(async () => {
  client.close();
  await fake[Symbol.asyncDispose]();
});

const descriptorOf = (cmd: Uint8Array) => encode('FlightDescriptor', { type: 2, cmd });
const QUERY = descriptorOf(encodeAny('CommandStatementQuery', { query: 'SELECT 1' }));
const PLAN: Plan = { queryId: 'q1', schema: rowSchema, tickets: [Buffer.from('t0')], ordered: true, expiresAtMs: 1000, audit: fakeAudit };

async function poll(descriptor: Uint8Array = QUERY): Promise<PollInfo> {
  return decode<PollInfo>('PollInfo', await client.unary('PollFlightInfo', descriptor));
}

function planSlowly(): void {
  fake.planner = {
    plan: () => {
      plans++;
      return new Promise((resolve, reject) => {
        finish = (end) => (end instanceof Error ? reject(end) : resolve(end));
      });
    },
  };
}

async function pendingPoll(): Promise<{ readonly answer: PollInfo; readonly retry: Uint8Array }> {
  planSlowly();
  const answer = await poll();
  return { answer, retry: descriptorOf(answer.flight_descriptor?.cmd ?? Buffer.alloc(0)) };
}

const cancel = async (answer: PollInfo) => {
  const body = encode('CancelFlightInfoRequest', { info: { app_metadata: answer.info.app_metadata } });
  const [result] = await client.action('CancelFlightInfo', body);
  return decode<{ status: number }>('CancelFlightInfoResult', result ?? Buffer.alloc(0)).status;
};

describe('what is known soon is complete at once', () => {
  test.each([
    ['a statement', QUERY],
    ['a handle', descriptorOf(encodeAny('CommandPreparedStatementQuery', { prepared_statement_handle: Buffer.from('h') }))],
    ['a path', encode('FlightDescriptor', { type: 1, path: ['demo', 'orders'] })],
    ['raw SQL', descriptorOf(Buffer.from('SELECT 1'))],
    ['a question about the catalog', descriptorOf(encodeAny('CommandGetTables', {}))],
  ])('%s', async (_, descriptor) => {
    const answer = await poll(descriptor);
    expect(answer).toMatchObject({ flight_descriptor: null, progress: 1, expiration_time: null });
    expect(answer.info.endpoint).toHaveLength(1);
    expect(answer.info).toEqual({
      ...decode<PollInfo['info']>('FlightInfo', await client.unary('GetFlightInfo', descriptor)),
      endpoint: [expect.anything()],
    });
  });

  test('a refusal', async () => {
    fake.planner = { plan: async () => Promise.reject(new SluiceError('dataset.unknown', 'no dataset demo.x')) };
    expect(await failureOf(poll())).toEqual({ status: 'NOT_FOUND', message: 'no dataset demo.x' });
    const update = descriptorOf(encodeAny('CommandStatementUpdate', {}));
    expect(await failureOf(poll(update))).toMatchObject({ status: 'INVALID_ARGUMENT' });
  });
});

describe('what takes longer', () => {
  test('is polled for until it is complete, and planned once', async () => {
    const { answer, retry } = await pendingPoll();
    expect(answer.info).toMatchObject({ endpoint: [], flight_descriptor: { type: 2 } });
    expect(answer.progress).toBe(0);
    expect(Number(answer.expiration_time?.seconds) * 1000).toBeGreaterThan(Date.now());
    const next = poll(retry);
    setTimeout(() => finish(PLAN), 20);
    const complete = await next;
    expect(complete).toMatchObject({ flight_descriptor: null, progress: 1 });
    expect(complete.info.endpoint).toHaveLength(1);
    expect(complete.info.flight_descriptor).toEqual(answer.info.flight_descriptor);
    expect(plans).toBe(1);
    expect(fake.audits.map(({ method, outcome }) => [method, outcome])).toEqual([
      ['PollFlightInfo', 'ok'],
      ['PollFlightInfo', 'ok'],
    ]);
    expect(fake.audits[1]).toMatchObject({ queryId: 'q1' });
  });

  test('tells its failure to whoever polls', async () => {
    const { retry } = await pendingPoll();
    finish(new SluiceError('policy.denied', 'you may not'));
    expect(await failureOf(poll(retry))).toEqual({ status: 'PERMISSION_DENIED', message: 'you may not' });
    expect(fake.audits[1]).toMatchObject({ outcome: 'refused', statement: 'SELECT 1', code: 'policy.denied' });
  });

  test('is planned again where it is not known', async () => {
    const { retry } = await pendingPoll();
    const other = await startFake();
    await using elsewhere = await connectFlight({ port: other.port, user: 'ada' });
    const answer = decode<PollInfo>('PollInfo', await elsewhere.unary('PollFlightInfo', retry));
    expect(answer).toMatchObject({ flight_descriptor: null, progress: 1 });
    await other[Symbol.asyncDispose]();
    finish(PLAN);
    await poll(retry);
  });

  test('is cancelled by its info', async () => {
    const { answer, retry } = await pendingPoll();
    expect(await cancel(answer)).toBe(1);
    expect(await failureOf(poll(retry))).toEqual({ status: 'CANCELLED', message: 'this query was cancelled' });
    finish(PLAN);
  });

  test('cancelled while somebody waits for it, gives nobody the plan', async () => {
    const { answer, retry } = await pendingPoll();
    const waiting = failureOf(poll(retry));
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(await cancel(answer)).toBe(1);
    finish(PLAN);
    expect((await waiting).status).toBe('CANCELLED');
  });

  test('a caller who leaves may come back', async () => {
    const { retry } = await pendingPoll();
    const identity = (bytes: Buffer): Buffer => bytes;
    const path = '/arrow.flight.protocol.FlightService/PollFlightInfo';
    const leaving = client.grpc.makeServerStreamRequest(path, identity, identity, Buffer.from(retry), client.metadata());
    leaving.on('error', () => {});
    setTimeout(() => leaving.cancel(), 50);
    await new Promise((resolve) => leaving.on('status', resolve));
    finish(PLAN);
    expect(await poll(retry)).toMatchObject({ progress: 1 });
    expect(plans).toBe(1);
  });
});

describe('a retry descriptor that does not count', () => {
  const state = { pollId: 'p', subject: 'ada', expiresAtMs: Date.now() + 3_600_000, descriptor: QUERY };
  const retryOf = (sealed: Uint8Array) => descriptorOf(encodeRetry(sealed));

  test.each([
    ['of another principal', { ...state, subject: 'eve' }, 'PERMISSION_DENIED'],
    ['that has expired', { ...state, expiresAtMs: 1 }, 'FAILED_PRECONDITION'],
  ])('%s', async (_, pending, expected) => {
    expect((await failureOf(poll(retryOf(sealer.seal('poll', encodePending(pending)))))).status).toBe(expected);
  });

  test.each([
    ['garbage', Buffer.from('garbage')],
    ['nothing', Buffer.alloc(0)],
    ['sealed for another purpose', Buffer.from(sealer.seal('options', encodePending(state)))],
    ['sealed garbage', Buffer.from(sealer.seal('poll', Buffer.of(0xff)))],
  ])('%s', async (_, sealed) => {
    expect((await failureOf(poll(retryOf(sealed)))).status).toBe('INVALID_ARGUMENT');
  });

  test('is no ticket and no command for other methods', async () => {
    const retry = encodeRetry(sealer.seal('poll', encodePending(state)));
    expect((await call(client, 'DoGet', [encode('Ticket', { ticket: retry })])).code).toBe(status.INVALID_ARGUMENT);
    expect((await call(client, 'GetFlightInfo', [descriptorOf(retry)])).code).toBe(status.INVALID_ARGUMENT);
  });
});
