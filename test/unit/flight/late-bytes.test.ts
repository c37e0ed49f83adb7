/** On real sockets: memory that was given back never reaches the wire with its new content (session-flush.ts, fast-frames.ts). */
import { once } from 'node:events';
import { type ClientHttp2Session, connect as connectHttp2 } from 'node:http2';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { type Server as GrpcServer, Server, ServerCredentials } from '@grpc/grpc-js';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createFrameWriter, type FrameWriter, type RawCall } from '#src/flight/fast-frames.js';
import { eventually } from './fakes.ts';

const BODY_BYTES = 32 * 1024 * 1024;
const OURS = 0x61;
const SOMEONE_ELSES = 0x62;
const identity = (bytes: Buffer): Buffer => bytes;

let server: GrpcServer;
let port: number;
let released = 0;
let writer: FrameWriter | undefined;

beforeAll(async () => {
  server = new Server();
  const codecs = { requestSerialize: identity, requestDeserialize: identity, responseSerialize: identity, responseDeserialize: identity };
  const get = (call: RawCall): void => {
    const body = new Uint8Array(new SharedArrayBuffer(BODY_BYTES)).fill(OURS);
    call.sendMetadata(call.metadata);
    // Another query's rows take the memory as soon as it is given back.
    const reuse = (): void => {
      released++;
      body.fill(SOMEONE_ELSES);
    };
    writer = createFrameWriter(call, true);
    writer.write(new Uint8Array(1), body, reuse).catch(() => {});
  };
  server.addService({ Get: { path: '/t.T/Get', requestStream: true, responseStream: true, ...codecs } }, { Get: get });
  port = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) => (error ? reject(error) : resolve(bound))),
  );
});
afterAll(() => server.forceShutdown());

test('a client that stops reading, is given up and reads on sees its own bytes only', async () => {
  const proxy = await startProxy(port);
  const session = connectHttp2(`http://127.0.0.1:${proxy.port}`, { settings: { initialWindowSize: 2 ** 31 - 1 } });
  await once(session, 'connect');
  session.setLocalWindowSize(2 ** 31 - 1);
  const stream = session.request({ ':method': 'POST', ':path': '/t.T/Get', 'content-type': 'application/grpc', te: 'trailers' });
  stream.on('error', () => {});
  proxy.pauseAfter(256 * 1024);
  await eventually(() => writer !== undefined && proxy.paused());
  await new Promise((resolve) => setTimeout(resolve, 200));
  // As after a deadline: Node reads no reset while its writes are stuck, but the server may give up by itself.
  writer?.abandon();
  await new Promise((resolve) => setTimeout(resolve, 200));
  expect(released).toBe(0);
  proxy.resume();
  await eventually(() => released === 1);
  expect(proxy.seen(OURS)).toBeGreaterThan(256 * 1024);
  expect(proxy.seen(SOMEONE_ELSES)).toBe(0);
  close(session);
  proxy.close();
});

function close(session: ClientHttp2Session): void {
  session.on('error', () => {});
  session.destroy();
}

/** Counts the bytes that come from the server, in long runs only, so that frame headers do not count. */
async function startProxy(target: number) {
  const counts = new Map<number, number>();
  let limit = Number.POSITIVE_INFINITY;
  let total = 0;
  let upstream: Socket | undefined;
  const listener = createServer((client) => {
    const toServer = connect(target, '127.0.0.1');
    upstream = toServer;
    client.pipe(toServer);
    toServer.on('data', (chunk: Buffer) => {
      total += chunk.length;
      for (const byte of [OURS, SOMEONE_ELSES]) counts.set(byte, (counts.get(byte) ?? 0) + runsOf(chunk, byte));
      client.write(chunk);
      if (total > limit) toServer.pause();
    });
    for (const socket of [client, toServer]) socket.on('error', () => {});
    toServer.on('close', () => client.destroy());
    client.on('close', () => toServer.destroy());
  });
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  return {
    port: (listener.address() as AddressInfo).port,
    pauseAfter: (bytes: number) => {
      limit = bytes;
    },
    paused: () => upstream?.isPaused() === true,
    resume: () => {
      limit = Number.POSITIVE_INFINITY;
      upstream?.resume();
    },
    seen: (byte: number) => counts.get(byte) ?? 0,
    close: () => listener.close(),
  };
}

function runsOf(chunk: Buffer, byte: number): number {
  const run = Buffer.alloc(64, byte);
  let found = 0;
  for (let at = chunk.indexOf(run); at >= 0; at = chunk.indexOf(run, at + run.length)) found += run.length;
  return found;
}
