/**
 * Attacks below the Flight messages: gRPC framing, headers, HTTP/2 frames, floods, connections that stop in the middle. Each request is answered
 * or reset, each connection can be closed, nothing is left behind, and the next caller is served (invariants I6, I8, I11).
 */
import { constants } from 'node:http2';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { connectFlight, type RawClient } from '../support/flight-client.ts';
import { encode, encodeAny } from '../support/flight-messages.ts';
import {
  attack,
  END_HEADERS,
  END_STREAM,
  FRAME,
  frame,
  GRPC_HEADERS,
  grpcMessage,
  type HttpAnswer,
  type HttpRequest,
  headerBlock,
  openSession,
  openSocket,
  REQUEST_HEADERS,
  sendRequest,
} from '../support/hostile/http2-attacks.ts';
import { INSIDE } from '../support/hostile/raw-call.ts';
import { expectNothingLeft, startWatchedServer, type WatchedServer } from '../support/hostile/watched-server.ts';

/** The engine's limit and the process itself, MB. */
const PEAK_MB = 1500;
const METHOD_PREFIX = '/arrow.flight.protocol.FlightService/';
const MESSAGE = encode('FlightDescriptor', { type: 2, cmd: encodeAny('CommandGetCatalogs', {}) });
const FLOOD = 10_000;

let sluice: WatchedServer;
let client: RawClient;
let holdsBefore: ReturnType<WatchedServer['holds']>;
let ids: string[] = [];

beforeAll(async () => {
  sluice = await startWatchedServer({ SLUICE_MEMORY_LIMIT: '512MB', SLUICE_ENGINE_THREADS: '4' });
  client = await connectFlight({ port: sluice.port, user: 'steward' });
  await sluice.expectWell();
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
  expect(sluice.memory().peakMb, 'peak resident memory, MB').toBeLessThan(PEAK_MB);
});

/** Sends, remembers the request id, and checks that the answer tells nothing of the server's inside. */
async function send(what: string, { headers = {}, body = grpcMessage(MESSAGE) }: HttpRequest): Promise<HttpAnswer> {
  const answer = await sendRequest(sluice.port, { headers: { authorization: client.authorization ?? '', ...headers }, body });
  if (answer.requestId !== undefined) ids.push(answer.requestId);
  expect(answer.message, what).not.toMatch(INSIDE);
  return answer;
}

test('what a client sends when all is right', async () => {
  expect(await send('right', {})).toMatchObject({ status: 200, grpcStatus: '0' });
});

describe('requests', () => {
  test.each([
    'application/json',
    'text/plain',
    'application/x-www-form-urlencoded',
    'application/octet-stream',
    'application',
    '',
    'x'.repeat(4000),
  ])('content type %s', async (type) => {
    const answer = await send(type, { headers: { 'content-type': type } });
    expect(answer.status === 415 || (answer.grpcStatus ?? '0') !== '0' || answer.status === 0, JSON.stringify(answer)).toBe(true);
  });

  // grpc-js takes these as gRPC: they need the same credentials and give the same answer, or none.
  test.each(['application/grpc-web', 'application/grpc+json', 'application/grpc; charset=x'])('content type %s', async (type) => {
    await send(type, { headers: { 'content-type': type } });
    const { grpcStatus } = await send(`${type} of nobody`, { headers: { 'content-type': type, authorization: '' } });
    expect(grpcStatus).not.toBe('0');
  });

  test.each(['GET', 'PUT', 'DELETE', 'OPTIONS', 'TRACE', 'PATCH', 'NONSENSE', 'post'])('method %s', async (method) => {
    await send(method, { headers: { [constants.HTTP2_HEADER_METHOD]: method } });
    const { grpcStatus } = await send(`${method} of nobody`, { headers: { [constants.HTTP2_HEADER_METHOD]: method, authorization: '' } });
    expect(grpcStatus).not.toBe('0');
  });

  test.each([
    '/',
    '*',
    '/favicon.ico',
    '/../../etc/passwd',
    `${METHOD_PREFIX}Nothing`,
    `${METHOD_PREFIX}`,
    `${METHOD_PREFIX}getschema`,
    `${METHOD_PREFIX}__proto__`,
    `${METHOD_PREFIX}constructor`,
    '/__proto__/toString',
    '/arrow.flight.protocol.FlightService//GetSchema',
    `/${'x'.repeat(6000)}`,
    '/%00',
    '/grpc.channelz.v1.Channelz/GetServers',
  ])('path %s', async (path) => {
    const answer = await send(path, { headers: { [constants.HTTP2_HEADER_PATH]: path } });
    expect(answer.grpcStatus, JSON.stringify(answer)).not.toBe('0');
  });

  test.each(['-1S', '1', 'S', '99999999999999H', 'abcn', '0n', '1u', '', '0x10S', '1S1S'])('timeout %s', async (timeout) => {
    await send(timeout, { headers: { 'grpc-timeout': timeout } });
  });

  test.each(['gzip', 'deflate', 'snappy', 'identity', 'nonsense', 'gzip,gzip', ''])(
    'encoding %s of a body that has none',
    async (encoding) => {
      for (const flag of [0, 1, 2, 255])
        await send(`${encoding} ${flag}`, { headers: { 'grpc-encoding': encoding }, body: grpcMessage(MESSAGE, MESSAGE.length, flag) });
    },
  );

  test('a body that grows by a thousand when unpacked is refused before it is', async () => {
    const packed = gzipSync(Buffer.alloc(512 * 1024 * 1024), { level: 9 });
    for (let round = 0; round < 3; round++) {
      const answer = await send('bomb', { headers: { 'grpc-encoding': 'gzip' }, body: grpcMessage(packed, packed.length, 1) });
      expect(answer.grpcStatus).not.toBe('0');
    }
  });

  test('lengths that lie', async () => {
    const lengths = [0, 1, MESSAGE.length - 1, MESSAGE.length + 1, 2 ** 16, 2 ** 24, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1];
    for (const length of lengths) await send(`length ${length}`, { body: grpcMessage(MESSAGE, length) });
    for (let cut = 0; cut < 5 + MESSAGE.length; cut++) {
      const answer = await send(`cut at ${cut}`, { body: grpcMessage(MESSAGE).subarray(0, cut) });
      expect(answer.grpcStatus, `cut at ${cut}`).not.toBe('0');
    }
  });

  test('one message too large, and many small ones where one belongs', async () => {
    const large = await send('20 MB', { body: grpcMessage(Buffer.alloc(20 * 1024 * 1024)) });
    expect(large.grpcStatus).not.toBe('0');
    const empty = grpcMessage(new Uint8Array());
    await send('a hundred thousand empty messages', { body: Buffer.concat(Array<Buffer>(100_000).fill(empty)) });
    await send('ten thousand whole messages', { body: Buffer.concat(Array<Buffer>(10_000).fill(grpcMessage(MESSAGE))) });
  });

  test('bytes of any kind as a gRPC body', async () => {
    const body = fc.oneof(
      fc.uint8Array({ maxLength: 400 }),
      fc
        .tuple(fc.uint8Array({ maxLength: 100 }), fc.nat(2 ** 32 - 1), fc.nat(255))
        .map(([bytes, length, flag]) => grpcMessage(bytes, length, flag)),
    );
    const volley = fc.array(fc.tuple(fc.constantFrom('GetSchema', 'DoGet', 'DoPut', 'DoAction', 'DoExchange', 'Handshake'), body), {
      minLength: 10,
      maxLength: 10,
    });
    const property = fc.asyncProperty(volley, async (all) => {
      await Promise.all(
        all.map(([method, bytes]) => send(method, { headers: { [constants.HTTP2_HEADER_PATH]: METHOD_PREFIX + method }, body: bytes })),
      );
    });
    const { failed, errorInstance } = await fc.check(property, { seed: 20_261, numRuns: 60, endOnFailure: true });
    if (failed) throw errorInstance;
  });
});

describe('headers', () => {
  test.each([1000, 8000, 16_000, 64_000, 300_000, 2_000_000])('one of %i bytes', async (size) => {
    await send(String(size), { headers: { 'x-large': 'a'.repeat(size) } });
  });

  test.each([10, 1000, 20_000])('%i of them', async (count) => {
    const many = Object.fromEntries(Array.from({ length: count }, (_, i) => [`x-header-${i}`, 'value']));
    await send(String(count), { headers: many });
  });

  test('binary headers that are not base64, values of odd bytes, the same name many times', async () => {
    const odd: readonly HttpRequest['headers'][] = [
      { 'auth-token-bin': '!!!' },
      { 'auth-token-bin': Buffer.alloc(5000, 7).toString('base64') },
      { 'grpc-trace-bin': 'a' },
      { 'x-odd': '\u00ff\u00fe' },
      { 'x-many': Array<string>(500).fill('again') },
      { cookie: Array<string>(500).fill('arrow_flight_session_id=x') },
      { cookie: `arrow_flight_session_id=${'A'.repeat(7000)}` },
      { 'user-agent': `ADBC Flight SQL Driver ${'x'.repeat(7000)}` },
      { 'x-request-id': 'mine' },
      { 'x-forwarded-for': '127.0.0.1' },
      { 'grpc-accept-encoding': 'x'.repeat(7000) },
      { [constants.HTTP2_HEADER_AUTHORITY]: '\'"<script>' },
    ];
    for (const headers of odd) await send(JSON.stringify(headers).slice(0, 100), { headers: headers ?? {} });
    // An id that the caller invents is not taken over.
    expect(ids).not.toContain('mine');
  });
});

describe('HTTP/2 frames', () => {
  const HEADERS = headerBlock(REQUEST_HEADERS);
  const open = (stream: number, flags = END_HEADERS): Buffer => frame(FRAME.headers, flags, stream, HEADERS);
  const u32 = (value: number): Buffer => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(value >>> 0);
    return bytes;
  };
  const setting = (id: number, value: number): Buffer => Buffer.concat([Buffer.from([0, id]), u32(value)]);

  const broken: Readonly<Record<string, readonly Uint8Array[]>> = {
    'data on stream 0': [frame(FRAME.data, 0, 0, Buffer.from('x'))],
    'data on a stream that is not open': [frame(FRAME.data, 0, 5, Buffer.from('x'))],
    'a stream of the even kind': [open(2)],
    'streams that go backwards': [open(7), open(3)],
    'the same stream twice': [open(1, END_HEADERS | END_STREAM), open(1)],
    'a frame longer than allowed': [frame(FRAME.data, 0, 1, Buffer.alloc(20_000))],
    'a frame that claims 16 MB': [frame(FRAME.headers, END_HEADERS, 1, HEADERS, 2 ** 24 - 1)],
    'padding longer than the frame': [open(1), frame(FRAME.data, 8, 1, Buffer.from([255, 1]))],
    'a header block of noise': [frame(FRAME.headers, END_HEADERS, 1, Buffer.alloc(200, 0xff))],
    'an index beyond the table': [frame(FRAME.headers, END_HEADERS, 1, Buffer.from([0xff, 0xff, 0xff, 0xff, 0x07]))],
    'a table of 4 GB': [frame(FRAME.headers, END_HEADERS, 1, Buffer.from([0x3f, 0xe1, 0xff, 0xff, 0xff, 0x0f]))],
    'headers in capitals': [frame(FRAME.headers, END_HEADERS, 1, headerBlock({ ...REQUEST_HEADERS, 'X-UPPER': 'x' }))],
    'a header with a line break': [frame(FRAME.headers, END_HEADERS, 1, headerBlock({ ...REQUEST_HEADERS, 'x-split': 'a\r\nb: c' }))],
    'no pseudo headers': [frame(FRAME.headers, END_HEADERS | END_STREAM, 1, headerBlock({ te: 'trailers' }))],
    'pseudo headers of an answer': [frame(FRAME.headers, END_HEADERS, 1, headerBlock({ ':status': '200' }))],
    'a push from the client': [frame(FRAME.push, END_HEADERS, 1, Buffer.concat([u32(2), HEADERS]))],
    'a stream that depends on itself': [frame(FRAME.headers, END_HEADERS | 0x20, 1, Buffer.concat([u32(1), Buffer.from([16]), HEADERS]))],
    'a window beyond its maximum': [open(1), frame(FRAME.window, 0, 1, u32(2 ** 31 - 1)), frame(FRAME.window, 0, 1, u32(2 ** 31 - 1))],
    'a window update of nothing': [open(1), frame(FRAME.window, 0, 1, u32(0))],
    'a window of nothing': [frame(FRAME.settings, 0, 0, setting(4, 0)), open(1), frame(FRAME.data, END_STREAM, 1, grpcMessage(MESSAGE))],
    'a window larger than allowed': [frame(FRAME.settings, 0, 0, setting(4, 2 ** 32 - 1))],
    'a frame size below the minimum': [frame(FRAME.settings, 0, 0, setting(5, 1))],
    'settings of half a setting': [frame(FRAME.settings, 0, 0, Buffer.from([0, 4, 0]))],
    'settings acknowledged with content': [frame(FRAME.settings, 1, 0, setting(4, 1))],
    'a ping of three bytes': [frame(FRAME.ping, 0, 0, Buffer.from('abc'))],
    'a goaway, then a request': [frame(FRAME.goaway, 0, 0, Buffer.alloc(8)), open(1)],
    'a continuation of nothing': [frame(FRAME.continuation, END_HEADERS, 1, HEADERS)],
    'other frames inside a header block': [open(1, 0), frame(FRAME.ping, 0, 0, Buffer.alloc(8))],
    'frames of no kind': Array.from({ length: 50 }, (_, i) => frame(20 + i, 255, i, Buffer.alloc(i))),
    'the preface twice': [Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')],
    'a reset of a stream that is not open': [frame(FRAME.reset, 0, 9, u32(8))],
    'a request that ends in its headers': [open(1, END_HEADERS | END_STREAM)],
    'trailers from the client': [open(1), frame(FRAME.headers, END_HEADERS | END_STREAM, 1, headerBlock({ 'x-late': 'x' }))],
  };

  test.each(Object.entries(broken))('%s', async (_what, frames) => {
    await attack(sluice.port, frames);
  });

  test('frames of any kind', async () => {
    const one = fc
      .tuple(fc.nat(12), fc.nat(255), fc.constantFrom(0, 1, 2, 3, 5, 2 ** 31 - 1), fc.uint8Array({ maxLength: 64 }), fc.boolean())
      .map(([type, flags, stream, payload, lies]) => frame(type, flags, stream, payload, lies ? payload.length + 100 : payload.length));
    const property = fc.asyncProperty(fc.array(one, { minLength: 1, maxLength: 20 }), async (frames) => {
      await attack(sluice.port, [open(1), ...frames], 20);
    });
    await fc.assert(property, { seed: 20_262, numRuns: 300, endOnFailure: true });
  });

  test.each([
    ['pings', () => repeat(frame(FRAME.ping, 0, 0, Buffer.alloc(8)))],
    ['settings', () => repeat(frame(FRAME.settings, 0, 0, setting(3, 100)))],
    ['empty data frames', () => [open(1), ...repeat(frame(FRAME.data, 0, 1))]],
    [
      'continuations without end',
      () => [open(1, 0), ...repeat(frame(FRAME.continuation, 0, 1, headerBlock({ 'x-more': 'y'.repeat(100) })))],
    ],
    ['window updates', () => [open(1), ...repeat(frame(FRAME.window, 0, 1, u32(1)))]],
    ['priorities', () => repeat(frame(FRAME.priority, 0, 3, Buffer.concat([u32(0), Buffer.from([1])])))],
    [
      'streams opened and reset at once',
      () => Array.from({ length: FLOOD }, (_, i) => Buffer.concat([open(2 * i + 1), frame(FRAME.reset, 0, 2 * i + 1, u32(8))])),
    ],
  ] as const)('a flood of %s', async (_what, flood) => {
    await attack(sluice.port, flood());
  });

  const repeat = (bytes: Buffer): Buffer[] => Array<Buffer>(FLOOD).fill(bytes);
});

describe('connections that stop in the middle', () => {
  const start = frame(FRAME.headers, END_HEADERS, 1, headerBlock({ ...REQUEST_HEADERS, authorization: 'Bearer x' }));
  const half = grpcMessage(MESSAGE).subarray(0, 9);
  const places: Readonly<Record<string, readonly Uint8Array[]>> = {
    'before a word': [],
    'in the preface': [Buffer.from('PRI * HTTP')],
    'in the headers': [Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), frame(FRAME.settings, 0, 0), start.subarray(0, 30)],
    'in the message': [Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), frame(FRAME.settings, 0, 0), start, frame(FRAME.data, 0, 1, half)],
  };

  test.each(Object.entries(places))('%s: a hundred of them, torn', async (_where, hello) => {
    const sockets = await Promise.all(Array.from({ length: 100 }, () => openSocket(sluice.port, hello)));
    await sleep(200);
    // Meanwhile others are served.
    await sluice.expectWell();
    for (const [index, socket] of sockets.entries())
      if (index % 2 === 0) socket.resetAndDestroy();
      else socket.destroy();
  });

  test('half a message, signed in, then gone: no request stays open', async () => {
    const session = openSession(sluice.port);
    for (let i = 0; i < 100; i++) {
      const headers = {
        ...GRPC_HEADERS,
        [constants.HTTP2_HEADER_PATH]: `${METHOD_PREFIX}DoPut`,
        authorization: client.authorization ?? '',
      };
      const stream = session.request(headers);
      stream.on('error', () => {});
      stream.write(half);
    }
    await sleep(300);
    session.socket.resetAndDestroy();
  });
});

test('nothing is left of them', async () => {
  // Node keeps a connection that broke HTTP/2 until its next keep-alive.
  await expectNothingLeft(sluice, holdsBefore, 8, 120_000);
});
