import { once } from 'node:events';
import { type ClientHttp2Session, connect, constants } from 'node:http2';
import { connect as connectSocket, type Socket } from 'node:net';
import { Server, ServerCredentials } from '@grpc/grpc-js';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { limitConnections } from '#src/flight/http2-servers.js';
import { PATIENCE } from '../../support/patience.ts';
import { type Fake, startFake } from './fakes.ts';

let fake: Fake;
let session: ClientHttp2Session;
beforeAll(async () => {
  fake = await startFake();
});
beforeEach(() => {
  fake.audits.length = 0;
  session = connect(`http://127.0.0.1:${fake.port}`);
});
afterEach(() => session.close());
afterAll(() => fake[Symbol.asyncDispose]());

/** The HTTP status and gRPC status of any request. */
async function call(headers: Readonly<Record<string, string>>): Promise<readonly [unknown, unknown]> {
  const stream = session.request({ [constants.HTTP2_HEADER_METHOD]: 'POST', ...headers });
  stream.on('error', () => {});
  stream.end();
  const [answer] = await once(stream, 'response');
  stream.resume();
  stream.close();
  return [answer[':status'], answer['grpc-status']];
}

const grpc = { 'content-type': 'application/grpc', te: 'trailers' };

test('requests that no method takes leave one record each', async () => {
  expect(await call({ ':path': '/arrow.flight.protocol.FlightService/NoSuch', ...grpc })).toEqual([200, '12']);
  expect(await call({ ':path': '/other.Service/DoGet', ...grpc })).toEqual([200, '12']);
  expect(await call({ ':path': '/arrow.flight.protocol.FlightService/DoGet', 'content-type': 'application/json' })).toEqual([
    415,
    undefined,
  ]);
  expect(await call({ ':path': '/', ':method': 'GET' })).toEqual([415, undefined]);
  await vi.waitFor(
    () =>
      expect(fake.audits).toMatchObject([
        { method: 'unknown', command: '/arrow.flight.protocol.FlightService/NoSuch', outcome: 'refused', code: 'request.unimplemented' },
        { method: 'unknown', command: '/other.Service/DoGet', code: 'request.unimplemented' },
        { method: 'unknown', command: '/arrow.flight.protocol.FlightService/DoGet', code: 'request.malformed' },
        { method: 'unknown', code: 'request.malformed', peer: expect.stringMatching(/^127\.0\.0\.1:\d+$/) },
      ]),
    PATIENCE,
  );
});

test('a path that is no method name stays out of the record', async () => {
  for (const path of ['/a.B/C?x=secret', `/${'x'.repeat(5000)}`, '/a.B/C%C3', '/a/b/c']) await call({ ':path': path, ...grpc });
  await vi.waitFor(() => expect(fake.audits).toHaveLength(4), PATIENCE);
  for (const record of fake.audits) expect(record).not.toHaveProperty('command');
});

test('requests that a method takes are recorded by it alone', async () => {
  await call({ ':path': '/arrow.flight.protocol.FlightService/ListActions', ...grpc });
  await call({ ':path': '/grpc.health.v1.Health/Check', ...grpc });
  await vi.waitFor(() => expect(fake.audits).toMatchObject([{ method: 'ListActions', code: 'auth.missing' }]), PATIENCE);
});

test('windows suit long distances', async () => {
  const [settings] = await once(session, 'remoteSettings');
  expect(settings).toMatchObject({ initialWindowSize: 1024 ** 2, maxConcurrentStreams: 1000, maxHeaderListSize: 64 * 1024 });
  await vi.waitFor(() => expect(session.state.remoteWindowSize).toBeGreaterThan(2 * 1024 ** 2), PATIENCE);
});

test.each([
  ['one large header', { 'x-large': 'a'.repeat(100_000) }],
  ['large headers', Object.fromEntries(Array.from({ length: 10 }, (_, i) => [`x-${i}`, 'a'.repeat(8000)]))],
  ['many headers', Object.fromEntries(Array.from({ length: 200 }, (_, i) => [`x-${i}`, 'a']))],
])('%s end their request, and the connection goes on', async (_, large) => {
  session.close();
  session = connect(`http://127.0.0.1:${fake.port}`, { maxSendHeaderBlockLength: 1024 ** 2 });
  const path = { ':path': '/arrow.flight.protocol.FlightService/ListActions' };
  // The limit counts once the client has acknowledged it.
  await call({ ...path, ...grpc });
  const stream = session.request({ ':method': 'POST', ...path, ...grpc, ...large });
  const [error] = await once(stream, 'error').catch((reason: unknown) => [reason]);
  expect(error).toMatchObject({ message: expect.stringContaining('NGHTTP2_ENHANCE_YOUR_CALM') });
  expect(await call({ ...path, ...grpc, 'x-large': 'a'.repeat(50_000) })).toEqual([200, '16']);
});

test('connections above a limit are closed at once, and free their place', async () => {
  const server = new Server();
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    ),
  );
  limitConnections(server, { connectionsMax: 10, connectionsPerAddress: 2 });
  const open = (): Promise<{ socket: Socket; closed: Promise<unknown> }> =>
    new Promise((resolve) => {
      const socket = connectSocket(port, '127.0.0.1', () => resolve({ socket, closed: once(socket, 'close') }));
      socket.on('error', () => {}).resume();
    });
  const [first, second, third] = [await open(), await open(), await open()];
  await third.closed;
  first.socket.destroy();
  await first.closed;
  await vi.waitFor(async () => {
    const next = await open();
    const ended = await Promise.race([next.closed.then(() => true), new Promise((resolve) => setTimeout(() => resolve(false), 200))]);
    next.socket.destroy();
    expect(ended).toBe(false);
  }, PATIENCE);
  second.socket.destroy();
  server.forceShutdown();
});
