import { connect } from 'node:http2';
import { Metadata, type StatusObject, status } from '@grpc/grpc-js';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createAuditLog } from '#src/audit.js';
import { fail } from '#src/errors.js';
import { createFlightServer, type FlightServer, type Rpc } from '#src/flight/index.js';
import { createLogger } from '#src/log.js';
import { RawClient } from '../../support/flight-client.ts';
import { eventually } from './fakes.ts';

const SERVICE = '/arrow.flight.protocol.FlightService';

let server: FlightServer;
let client: RawClient;
/** What the server's methods do in this test. */
let handle: (rpc: Rpc) => Promise<void>;

beforeAll(async () => {
  server = await createFlightServer({
    host: '127.0.0.1',
    port: 0,
    methods: { DoExchange: (rpc) => handle(rpc), DoGet: (rpc) => handle(rpc) },
    authenticator: { authenticate: async () => ({ principal: { subject: 'anyone', groups: [], attributes: {} }, bearer: 'b' }) },
    audit: createAuditLog(() => {}),
    logger: createLogger('silent'),
    maxMessageBytes: 1024 * 1024,
  });
  client = new RawClient({ port: server.port });
});
beforeEach(() => {
  handle = async () => {};
});
afterAll(async () => {
  client.close();
  await server[Symbol.asyncDispose]();
});

describe('own methods over the same layer', () => {
  test('messages come one by one, and answers go between them', async () => {
    handle = async (rpc) => {
      for await (const message of rpc.messages()) await rpc.send(Buffer.concat([message, Buffer.from('!')]));
    };
    const { call, received, ended } = exchange();
    call.write(Buffer.from('a'));
    await eventually(() => received.length === 1);
    call.write(Buffer.from('b'));
    call.write(Buffer.from('c'));
    call.end();
    expect((await ended).code).toBe(status.OK);
    expect(received.map(String)).toEqual(['a!', 'b!', 'c!']);
  });

  test('request is the first message and stays the first of all', async () => {
    const seen: string[] = [];
    handle = async (rpc) => {
      seen.push(String(await rpc.request()), String(await rpc.request()));
      for await (const message of rpc.messages()) seen.push(String(message));
    };
    const { call, ended } = exchange();
    call.write(Buffer.from('a'));
    call.write(Buffer.from('b'));
    call.end();
    await ended;
    expect(seen).toEqual(['a', 'a', 'a', 'b']);
  });

  test('a client that sends faster than it is read waits', async () => {
    let go = (): void => {};
    const stalled = new Promise<void>((resolve) => {
      go = resolve;
    });
    let taken = 0;
    handle = async (rpc) => {
      for await (const message of rpc.messages()) {
        taken += message.length;
        if (taken === message.length) await stalled;
      }
    };
    const { call, ended } = exchange();
    let accepted = 0;
    const message = Buffer.alloc(512 * 1024);
    for (let index = 0; index < 40; index++) call.write(message, () => accepted++);
    call.end();
    await eventually(() => taken > 0);
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(accepted).toBeLessThan(20);
    go();
    expect((await ended).code).toBe(status.OK);
    expect(taken).toBe(40 * message.length);
  });

  test('a client that breaks off is not a client that has finished', async () => {
    let taken = 0;
    let thrown: unknown;
    handle = async (rpc) => {
      try {
        for await (const message of rpc.messages()) taken += message.length;
      } catch (error) {
        thrown = error;
        throw error;
      }
    };
    const session = connect(`http://127.0.0.1:${server.port}`);
    session.on('error', () => {});
    const path = `${SERVICE}/DoExchange`;
    const stream = session.request({ ':method': 'POST', ':path': path, 'content-type': 'application/grpc', te: 'trailers' });
    stream.on('error', () => {});
    stream.write(Buffer.from([0, 0, 0, 0, 1, 65]));
    await eventually(() => taken === 1);
    session.destroy();
    await eventually(() => thrown !== undefined);
    expect(thrown).toMatchObject({ code: 'request.cancelled' });
  });

  test('headers in, headers and trailers out', async () => {
    handle = async (rpc) => {
      rpc.setHeader('x-middleware', rpc.headers('x-middleware')[0] ?? '');
      rpc.setHeader('set-cookie', 'a=1');
      rpc.setHeader('set-cookie', 'b=2');
      rpc.setTrailer('x-rows', '7');
      await rpc.send(Buffer.from('x'));
    };
    const { headers, trailers } = await get({ 'x-middleware': 'expected value' });
    expect(headers.get('x-middleware')).toEqual(['expected value']);
    expect(headers.get('set-cookie')).toEqual(['a=1', 'b=2']);
    expect(trailers.get('x-rows')).toEqual(['7']);
    expect(trailers.get('x-request-id')).toEqual(headers.get('x-request-id'));
    expect(trailers.get('x-request-id')).toHaveLength(1);
  });

  test('of a failed call both are trailers, each once', async () => {
    handle = async (rpc) => {
      rpc.setHeader('x-middleware', 'value');
      rpc.setTrailer('x-rows', '7');
      fail('dataset.unknown', 'unknown');
    };
    const { trailers, code } = await get({});
    expect(code).toBe(status.NOT_FOUND);
    expect(trailers.get('x-middleware')).toEqual(['value']);
    expect(trailers.get('x-rows')).toEqual(['7']);
    expect(trailers.get('x-request-id')).toHaveLength(1);
    expect(trailers.get('authorization')).toEqual(['Bearer b']);
  });

  test('a method that is not given says so', async () => {
    const call = client.stream('ListActions', Buffer.alloc(0));
    const end = await new Promise<StatusObject>((resolve) => {
      call.on('error', () => {});
      call.on('status', resolve);
    });
    expect([end.code, end.details]).toEqual([status.UNIMPLEMENTED, 'ListActions is not supported']);
  });
});

function exchange() {
  const identity = (bytes: Buffer): Buffer => bytes;
  const call = client.grpc.makeBidiStreamRequest(`${SERVICE}/DoExchange`, identity, identity, new Metadata());
  const received: Buffer[] = [];
  call.on('data', (message: Buffer) => received.push(message));
  call.on('error', () => {});
  const ended = new Promise<StatusObject>((resolve) => call.on('status', resolve));
  return { call, received, ended };
}

function get(sent: Record<string, string>): Promise<{ headers: Metadata; trailers: Metadata; code: number }> {
  const identity = (bytes: Buffer): Buffer => bytes;
  const metadata = new Metadata();
  for (const [name, value] of Object.entries(sent)) metadata.set(name, value);
  const call = client.grpc.makeServerStreamRequest(`${SERVICE}/DoGet`, identity, identity, Buffer.alloc(0), metadata);
  let headers = new Metadata();
  return new Promise((resolve) => {
    call.on('metadata', (found: Metadata) => {
      headers = found;
    });
    call.on('data', () => {});
    call.on('error', () => {});
    call.on('status', (end: StatusObject) => resolve({ headers, trailers: end.metadata, code: end.code }));
  });
}
