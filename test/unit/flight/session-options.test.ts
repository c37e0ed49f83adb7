import { status } from '@grpc/grpc-js';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { ResultOptions } from '#src/planner/index.js';
import { createSealer, encodeSessionState } from '#src/wire/index.js';
import { connectFlight, type RawClient } from '../../support/flight-client.ts';
import { decode, encode, encodeAny, type Fields } from '../../support/flight-messages.ts';
import { call, type Fake, fakeAudit, type Reply, rowSchema, SESSION_IDLE_MS, sealer, startFake } from './fakes.ts';

const COOKIE = 'arrow_flight_session_id';
const QUERY = encode('FlightDescriptor', { type: 2, cmd: encodeAny('CommandStatementQuery', { query: 'SELECT 1' }) });

let fake: Fake;
let client: RawClient;
let planned: ResultOptions[] = [];

beforeAll(async () => {
  fake = await startFake();
  client = await connectFlight({ port: fake.port, user: 'ada' });
});
beforeEach(() => {
  planned = [];
  fake.laterMs = 0;
  fake.planner = {
    plan: async ({ options }) => {
      planned.push(options);
      return { queryId: 'q1', schema: rowSchema, tickets: [], ordered: true, expiresAtMs: 0, audit: fakeAudit };
    },
  };
});
afterAll(async () => {
  client.close();
  await fake[Symbol.asyncDispose]();
});

const text = (value: string) => ({ string_value: value });

function action(type: string, body: Uint8Array = Buffer.alloc(0), cookie?: string): Promise<Reply> {
  return call(client, 'DoAction', [encode('Action', { type, body })], cookie === undefined ? {} : { cookie: `${COOKIE}=${cookie}` });
}

function bodyOf({ messages: [message] }: Reply): Uint8Array {
  return decode<{ body: Uint8Array }>('Result', message ?? Buffer.alloc(0)).body;
}

async function set(session_options: Fields, cookie?: string) {
  const reply = await action('SetSessionOptions', encode('SetSessionOptionsRequest', { session_options }), cookie);
  const { errors } = decode<{ errors: Record<string, { value: number }> }>('SetSessionOptionsResult', bodyOf(reply));
  return { errors, cookie: cookieOf(reply), code: reply.code };
}

async function get(cookie?: string): Promise<Record<string, unknown>> {
  const reply = await action('GetSessionOptions', Buffer.alloc(0), cookie);
  const { session_options } = decode<{ session_options: Record<string, { string_value: string }> }>(
    'GetSessionOptionsResult',
    bodyOf(reply),
  );
  return Object.fromEntries(Object.entries(session_options).map(([name, value]) => [name, value.string_value]));
}

function cookieOf({ headers }: Reply): string {
  return /^arrow_flight_session_id=([^;]*); Path=\/; HttpOnly$/.exec(headers.get('set-cookie')[0]?.toString() ?? '')?.[1] ?? '';
}

const info = (cookie?: string): Promise<Reply> =>
  call(client, 'GetFlightInfo', [QUERY], cookie === undefined ? {} : { cookie: `other=1; ${COOKIE}=${cookie}` });

describe('options', () => {
  test('are set, kept over calls, read back and erased', async () => {
    const first = await set({ schema: text('demo'), strings: text('view') });
    expect(first.errors).toEqual({});
    const second = await set({ catalog: text('sluice'), endpoints: text('parallel'), strings: {} }, first.cookie);
    expect(second.errors).toEqual({});
    expect(await get(second.cookie)).toEqual({ catalog: 'sluice', schema: 'demo', endpoints: 'parallel' });
  });

  test('decide about results', async () => {
    const { cookie } = await set({ schema: text('crm'), enums: text('dictionary'), compression: text('lz4'), endpoints: text('parallel') });
    expect((await info(cookie)).code).toBe(status.OK);
    await info();
    expect(planned).toEqual([
      {
        schema: 'crm',
        form: { strings: 'utf8', enums: 'dictionary', compression: 'lz4' },
        endpointsMax: 16,
        readsInOrder: true,
      },
      { schema: null, form: { strings: 'utf8', enums: 'utf8', compression: 'none' }, endpointsMax: 1, readsInOrder: true },
    ]);
  });

  test.each<[string, Fields, number]>([
    ['lol_invalid', text('x'), 1],
    ['Schema', text('demo'), 1],
    ['__proto__x', text('demo'), 1],
    ['constructor', text('x'), 1],
    ['unknown', {}, 1],
    ['schema', text('secret'), 2],
    ['schema', text(''), 2],
    ['schema', text('x'.repeat(2000)), 2],
    ['schema', { bool_value: true }, 2],
    ['schema', { int64_value: 7 }, 2],
    ['schema', { double_value: 1.5 }, 2],
    ['schema', { string_list_value: { values: ['demo'] } }, 2],
    ['catalog', text('other'), 2],
    ['strings', text('utf16'), 2],
    ['batch_bytes', text('many'), 2],
    ['batch_bytes', { int64_value: 5 }, 2],
    ['batch_bytes', { bool_value: true }, 2],
    ['endpoints', text('PARALLEL'), 2],
    ['compression', text('gzip'), 2],
    ['enums', text('toString'), 2],
  ])('%s = %j is refused with %i, and nothing changes', async (name, value, expected) => {
    const before = await set({ strings: text('view') });
    const after = await set({ [name]: value, schema: name === 'schema' ? value : text('demo') }, before.cookie);
    expect(after.errors[name]).toEqual({ value: expected });
    expect(await get(after.cookie)).toEqual({ catalog: 'sluice', strings: 'view', ...(name === 'schema' ? {} : { schema: 'demo' }) });
  });

  test('names compare as the engine compares them, and keep their own spelling', async () => {
    const { cookie, errors } = await set({ catalog: text('SLUICE'), schema: text('Demo') });
    expect(errors).toEqual({});
    expect(await get(cookie)).toEqual({ catalog: 'sluice', schema: 'demo' });
  });

  test('come in bounded number', async () => {
    const many = Object.fromEntries(Array.from({ length: 101 }, (_, index) => [`o${index}`, text('x')]));
    expect((await action('SetSessionOptions', encode('SetSessionOptionsRequest', { session_options: many }))).code).toBe(
      status.INVALID_ARGUMENT,
    );
    expect((await action('SetSessionOptions', Buffer.of(0x0a, 9))).code).toBe(status.INVALID_ARGUMENT);
  });
});

describe('a session', () => {
  test('is not started by asking for it', async () => {
    const reply = await action('GetSessionOptions');
    expect(reply.code).toBe(status.OK);
    expect(await get()).toEqual({ catalog: 'sluice' });
    expect(reply.headers.get('set-cookie')).toEqual([]);
    expect((await info()).headers.get('set-cookie')).toEqual([]);
  });

  test('lives on while it is used, and ends when it is not', async () => {
    const { cookie } = await set({ schema: text('demo') });
    fake.laterMs = SESSION_IDLE_MS - 60_000;
    const used = cookieOf(await info(cookie));
    expect(used).not.toBe('');
    fake.laterMs = SESSION_IDLE_MS + 60_000;
    expect((await info(used)).code).toBe(status.OK);
    expect((await info(cookie)).code).toBe(status.UNAUTHENTICATED);
  });

  test('closes: the client forgets it', async () => {
    const { cookie } = await set({ schema: text('demo') });
    const reply = await action('CloseSession', Buffer.alloc(0), cookie);
    expect([...bodyOf(reply)]).toEqual([8, 1]);
    expect(reply.headers.get('set-cookie')).toEqual([`${COOKIE}=; Path=/; HttpOnly; Max-Age=0`]);
    expect((await action('CloseSession', Buffer.alloc(0), 'garbage')).code).toBe(status.OK);
    expect((await action('CloseSession')).headers.get('set-cookie')).toEqual([]);
  });

  test('does not stand in the way of questions about the catalog', async () => {
    const descriptor = encode('FlightDescriptor', { type: 2, cmd: encodeAny('CommandGetCatalogs', {}) });
    expect((await call(client, 'GetFlightInfo', [descriptor], { cookie: `${COOKIE}=garbage` })).code).toBe(status.OK);
  });
});

describe('a cookie that does not count', () => {
  const state = { subject: 'ada', expiresAtMs: Date.now() + 3600_000, options: { schema: 'demo' } };
  const seal = (plain: Uint8Array, purpose: 'options' | 'session' = 'options') =>
    Buffer.from(sealer.seal(purpose, plain)).toString('base64url');
  const good = seal(encodeSessionState(state));
  const altered = Buffer.from(good, 'base64url');
  altered[altered.length - 20] = (altered[altered.length - 20] ?? 0) ^ 1;
  const otherKey = createSealer([{ id: 'k1', key: new Uint8Array(32).fill(8) }]);

  test.each([
    ['of another principal', seal(encodeSessionState({ ...state, subject: 'eve' }))],
    ['that has expired', seal(encodeSessionState({ ...state, expiresAtMs: 1 }))],
    ['altered', altered.toString('base64url')],
    ['of another cluster', Buffer.from(otherKey.seal('options', encodeSessionState(state))).toString('base64url')],
    ['sealed for another purpose', seal(encodeSessionState(state), 'session')],
    ['with garbage inside', seal(Buffer.of(0xff))],
    ['that is garbage', 'garbage'],
    ['that is no base64', '%%%'],
  ])('%s is refused and taken back', async (_, cookie) => {
    for (const reply of [
      await info(cookie),
      await action('GetSessionOptions', Buffer.alloc(0), cookie),
      await action('SetSessionOptions', Buffer.alloc(0), cookie),
    ]) {
      expect([reply.code, reply.details]).toEqual([
        status.UNAUTHENTICATED,
        'the session has expired or is not yours; set its options again',
      ]);
      expect(reply.headers.get('set-cookie')).toEqual([`${COOKIE}=; Path=/; HttpOnly; Max-Age=0`]);
    }
    expect(planned).toEqual([]);
  });

  test('the same one unaltered counts, an empty one is none', async () => {
    expect((await info(good)).code).toBe(status.OK);
    expect(planned.map(({ schema }) => schema)).toEqual(['demo']);
    expect((await info('')).code).toBe(status.OK);
  });
});
