import { request } from 'node:http';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createLogger } from '#src/log.js';
import { createRestServer, type RestServer } from '#src/rest/index.js';

let unready: () => Promise<readonly string[]>;
let metrics: () => Promise<{ contentType: string; text: string }>;
let server: RestServer;

beforeEach(async () => {
  unready = async () => [];
  metrics = async () => ({ contentType: 'text/plain; version=0.0.4', text: 'up 1\n' });
  server = await createRestServer({
    host: '127.0.0.1',
    port: 0,
    metrics: () => metrics(),
    unready: () => unready(),
    logger: createLogger('silent'),
  });
});
afterEach(() => server[Symbol.asyncDispose]());

function call(method: string, path: string, body?: string) {
  return new Promise<{ status: number; headers: Readonly<Record<string, unknown>>; text: string }>((resolve, reject) => {
    let answered = false;
    const sent = request({ host: '127.0.0.1', port: server.port, method, path, agent: false }, async (answer) => {
      answered = true;
      resolve({ status: answer.statusCode ?? 0, headers: answer.headers, text: await text(answer) });
    });
    // A server that does not read the body may close while it is still being sent.
    sent.on('error', (error) => answered || reject(error));
    sent.end(body);
  });
}

/** The answer to bytes as they are. */
function send(bytes: string): Promise<string> {
  return new Promise((resolve) => {
    let answer = '';
    const socket = connect(server.port, '127.0.0.1', () => socket.write(bytes));
    socket.on('data', (data) => {
      answer += data.toString('latin1');
    });
    socket.on('error', () => resolve(answer));
    socket.on('close', () => resolve(answer));
  });
}

test('metrics, health and readiness', async () => {
  expect(await call('GET', '/metrics')).toMatchObject({
    status: 200,
    text: 'up 1\n',
    headers: { 'content-type': 'text/plain; version=0.0.4', 'content-length': '5', 'cache-control': 'no-store' },
  });
  expect(await call('GET', '/healthz')).toMatchObject({ status: 200, text: 'ok\n' });
  expect(await call('GET', '/readyz?verbose=1')).toMatchObject({ status: 200, text: 'ok\n' });
});

test('a server that is not ready says why', async () => {
  unready = async () => ['draining', 'the engine does not answer'];
  expect(await call('GET', '/readyz')).toMatchObject({ status: 503, text: 'draining\nthe engine does not answer\n' });
  expect((await call('GET', '/healthz')).status).toBe(200);
});

test('HEAD has the headers of GET and no body', async () => {
  const [head, get] = [await call('HEAD', '/metrics'), await call('GET', '/metrics')];
  expect(head).toMatchObject({ status: 200, text: '', headers: { 'content-length': get.headers['content-length'] } });
});

test.each(['/', '/metrics/', '/Metrics', '/constructor', '/__proto__', '//healthz', '/..%2fmetrics', '*', 'http://evil/metrics'])(
  '%s is not found',
  async (path) => {
    expect(await call('GET', path)).toMatchObject({ status: 404, text: expect.stringContaining('/readyz') });
  },
);

test.each(['POST', 'PUT', 'DELETE', 'OPTIONS', 'TRACE', 'PATCH'])('%s is not allowed', async (method) => {
  expect(await call(method, '/metrics')).toMatchObject({ status: 405, headers: { allow: 'GET, HEAD' } });
});

test('a body is not read, and ends the connection', async () => {
  const answer = await call('POST', '/metrics', 'x'.repeat(100_000));
  expect(answer).toMatchObject({ status: 405, headers: { connection: 'close' } });
});

test('a fault inside is told without its text', async () => {
  metrics = async () => {
    throw new Error('secret');
  };
  expect(await call('GET', '/metrics')).toMatchObject({ status: 500, text: 'internal error\n' });
  unready = () => Promise.reject(new Error('secret'));
  expect(await call('GET', '/readyz')).toMatchObject({ status: 500, text: 'internal error\n' });
});

test('headers and addresses beyond measure, and no HTTP at all', async () => {
  expect(await send(`GET /metrics HTTP/1.1\r\nhost: x\r\nx: ${'y'.repeat(40_000)}\r\n\r\n`)).toMatch(/^HTTP\/1.1 431/);
  expect(await send(`GET /${'y'.repeat(40_000)} HTTP/1.1\r\nhost: x\r\n\r\n`)).toMatch(/^HTTP\/1.1 431/);
  expect(await send('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')).toMatch(/^HTTP\/1.1 400/);
  expect(await send('nonsense\r\n\r\n')).toMatch(/^HTTP\/1.1 400/);
  expect((await call('GET', '/healthz')).status).toBe(200);
});

test('an address in use is told at once', async () => {
  const again = createRestServer({ host: '127.0.0.1', port: server.port, metrics, unready, logger: createLogger('silent') });
  await expect(again).rejects.toThrow(/EADDRINUSE/);
});
