import { connect } from 'node:http2';
import { connect as connectSocket } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { connectFlight, failureOf, RawClient } from '../../support/flight-client.ts';
import { encode, encodeAny } from '../../support/flight-messages.ts';
import { eventually, type Fake, startFake } from './fakes.ts';

let fake: Fake;
let client: RawClient;

beforeAll(async () => {
  fake = await startFake();
  client = await connectFlight({ port: fake.port, user: 'ada' });
});
beforeEach(() => {
  fake.source = { batches: 2 };
  fake.audits.length = 0;
});
afterAll(async () => {
  client.close();
  await fake[Symbol.asyncDispose]();
});

test('frames go straight onto HTTP/2: a grpc-js upgrade that hides its stream fails here', () => {
  expect(fake.server.fastPath).toBe(true);
});

describe('what is not served says so', () => {
  test('an unknown method or service', async () => {
    expect((await failureOf(client.unary('NoSuchMethod', new Uint8Array(0)))).status).toBe('UNIMPLEMENTED');
    const wrong = new Promise((resolve, reject) => {
      const identity = (bytes: Buffer) => bytes;
      client.grpc.makeUnaryRequest('/other.Service/GetFlightInfo', identity, identity, Buffer.alloc(0), (error, value) =>
        error ? reject(error) : resolve(value),
      );
    });
    expect((await failureOf(wrong)).status).toBe('UNIMPLEMENTED');
  });
});

describe('broken clients are harmless', () => {
  const GARBAGE = [
    Buffer.alloc(0),
    Buffer.of(0xff),
    Buffer.from('SELECT 1'),
    Buffer.alloc(5000, 0x0b),
    encode('Ticket', { ticket: Buffer.from('x') }),
  ];

  test.each(['GetFlightInfo', 'GetSchema', 'DoGet', 'DoAction', 'DoPut'])('garbage to %s', async (method) => {
    for (const bytes of GARBAGE) {
      const { status } = await failureOf(client.collect(method, bytes));
      expect(status).toBeOneOf(['INVALID_ARGUMENT', 'UNIMPLEMENTED']);
    }
    expect(fake.audits.map((audit) => audit.outcome)).toEqual(GARBAGE.map(() => 'refused'));
  });

  test('a message above the limit is refused, and audited once', async () => {
    const { status } = await failureOf(client.unary('GetFlightInfo', Buffer.alloc(17 * 1024 * 1024)));
    expect(status).toBeOneOf(['RESOURCE_EXHAUSTED', 'CANCELLED', 'UNAVAILABLE']);
    await eventually(() => fake.audits.length === 1);
  });

  test('a request without a message, a second message, a half message and a reset', async () => {
    const authorization = client.authorization ?? '';
    const frame = (bytes: Uint8Array, length = bytes.length) => Buffer.concat([Buffer.from([0, 0, 0, 0, length]), bytes]);
    const descriptor = encode('FlightDescriptor', { type: 2, cmd: encodeAny('CommandGetCatalogs', {}) });
    expect(await rawRequest(authorization, [])).toMatchObject({
      'grpc-status': '3',
      'grpc-message': 'the%20request%20holds%20no%20message',
    });
    expect(await rawRequest(authorization, [frame(descriptor), frame(descriptor)])).toMatchObject({ 'grpc-status': '0' });
    expect(await rawRequest(authorization, [frame(descriptor, 200)])).toMatchObject({ 'grpc-status': '3' });
    await rawRequest(authorization, [frame(descriptor, 200)], true);
    await eventually(() => fake.audits.length === 4);
    // A reset may show as the end of the request first.
    expect(fake.audits.map((audit) => audit.outcome)).toEqual(['refused', 'ok', 'refused', expect.stringMatching(/^(cancelled|refused)$/)]);
  });

  test('odd headers', async () => {
    for (const extra of [
      { 'grpc-timeout': 'soon' },
      { 'grpc-timeout': '99999999H' },
      { 'grpc-encoding': 'zip' },
      { 'x-bin': '%%%' },
      { 'content-type': 'text/plain' },
    ]) {
      await rawRequest(client.authorization ?? '', [Buffer.from([0, 0, 0, 0, 0])], false, extra);
    }
    expect((await client.table('SELECT 1')).numRows).toBe(8);
  });

  test('bytes that are no HTTP/2', async () => {
    for (const bytes of [
      Buffer.from('GET / HTTP/1.1\r\n\r\n'),
      Buffer.alloc(1000, 0xff),
      Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), Buffer.alloc(100, 0xee)]),
    ]) {
      await new Promise<void>((resolve) => {
        const socket = connectSocket(fake.port, '127.0.0.1', () => socket.end(bytes));
        socket.on('error', () => {});
        socket.on('data', () => {});
        socket.on('close', () => resolve());
      });
    }
    expect((await client.table('SELECT 1')).numRows).toBe(8);
  });
});

describe('the end', () => {
  test('drain lets running requests finish and refuses new ones', async () => {
    const own = await startFake();
    const reader = await connectFlight({ port: own.port, user: 'ada' });
    own.source = { batches: 3, hangAt: 99 };
    const info = await reader.info('CommandStatementQuery', { query: 'SELECT 1' });
    const reading = reader.get(info.endpoint[0]?.ticket.ticket ?? new Uint8Array(0));
    await eventually(() => own.held.produced > 0);
    await own.server.drain(60_000);
    expect((await reading).numRows).toBe(12);
    expect(own.held.disposed).toBe(1);
    expect((await failureOf(new RawClient({ port: own.port }).unary('GetSchema', new Uint8Array(0)))).status).toBe('UNAVAILABLE');
    reader.close();
  });

  test('after the grace, running requests are aborted, audited and give everything back', async () => {
    const own = await startFake();
    const reader = await connectFlight({ port: own.port, user: 'ada' });
    own.source = { batches: 3, hangAt: 1 };
    const info = await reader.info('CommandStatementQuery', { query: 'SELECT 1' });
    const reading = failureOf(reader.get(info.endpoint[0]?.ticket.ticket ?? new Uint8Array(0)));
    await eventually(() => own.held.produced === 1);
    own.audits.length = 0;
    await own.server.drain(50);
    expect((await reading).status).not.toBe('OK');
    await eventually(() => own.held.released === 1 && own.held.disposed === 1);
    expect(own.held.aborted).toBe(1);
    expect(own.audits).toHaveLength(1);
    reader.close();
  });
});

/** One GetFlightInfo over bare HTTP/2; resolves with headers and trailers, or `{}` after a reset. */
function rawRequest(
  authorization: string,
  frames: readonly Buffer[],
  reset = false,
  extra: Record<string, string> = {},
): Promise<Record<string, unknown>> {
  return new Promise((resolve, reject) => {
    const session = connect(`http://127.0.0.1:${fake.port}`);
    session.on('error', reject);
    const base = {
      ':method': 'POST',
      ':path': '/arrow.flight.protocol.FlightService/GetFlightInfo',
      'content-type': 'application/grpc',
      te: 'trailers',
    };
    const stream = session.request({ ...base, authorization, ...extra });
    let headers: Record<string, unknown> = {};
    const collect = (more: object): void => {
      headers = { ...headers, ...more };
    };
    stream.on('response', collect);
    stream.on('trailers', collect);
    stream.on('error', () => {});
    stream.on('data', () => {});
    stream.on('close', () => session.close(() => resolve(headers)));
    for (const frame of frames) stream.write(frame);
    if (reset) setTimeout(() => stream.close(8), 50);
    else stream.end();
  });
}
