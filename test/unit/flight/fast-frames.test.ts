import { Client, credentials, Server, ServerCredentials } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createFrameWriter, type FrameWriter, http2StreamOf, type RawCall } from '#src/flight/fast-frames.js';
import { encodeFlightData } from '#src/wire/index.js';
import { eventually } from './fakes.ts';

const PATH = '/test.Frames/Get';
const identity = (bytes: Buffer): Buffer => bytes;
const shared = new Uint8Array(new SharedArrayBuffer(1_000_100), 100).fill(7);
const header = Buffer.from('header');

let server: Server;
let client: Client;
let handle: (call: RawCall) => Promise<void>;

beforeAll(async () => {
  server = new Server();
  const codecs = { requestSerialize: identity, requestDeserialize: identity, responseSerialize: identity, responseDeserialize: identity };
  server.addService(
    { Get: { path: PATH, requestStream: true, responseStream: true, ...codecs } },
    { Get: (call: RawCall) => void handle(call) },
  );
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) => (error ? reject(error) : resolve(bound))),
  );
  client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
});
afterAll(() => {
  client.close();
  server.forceShutdown();
});

const open = () => client.makeServerStreamRequest(PATH, identity, identity, Buffer.alloc(0));

async function received(): Promise<Buffer[]> {
  const messages: Buffer[] = [];
  for await (const message of open()) messages.push(message as Buffer);
  return messages;
}

describe.each([true, false])('frames, direct path %s', (fast) => {
  const writerOf = (call: RawCall): FrameWriter => {
    call.sendMetadata(call.metadata);
    const writer = createFrameWriter(call, fast);
    expect(writer.fast).toBe(fast);
    return writer;
  };

  test('arrive whole, out of shared memory, and each is given back once', async () => {
    let released = 0;
    handle = async (call) => {
      const writer = writerOf(call);
      await writer.write(header, new Uint8Array(0), () => released++);
      await writer.write(header, shared, () => released++);
      call.end();
    };
    expect((await received()).map((message) => Buffer.compare(message, encodeFlightData(header, shared)) === 0)).toEqual([false, true]);
    expect(released).toBe(2);
  });

  test('of a cancelled call reject and are given back', async () => {
    let released = 0;
    const failures: unknown[] = [];
    handle = async (call) => {
      const writer = writerOf(call);
      for (let index = 0; index < 5; index++)
        writer.write(header, shared, () => released++).catch((error: unknown) => failures.push(error));
    };
    const call = open();
    call.on('error', () => {});
    await new Promise((resolve) => call.once('metadata', resolve));
    call.cancel();
    await eventually(() => failures.length > 0 && released === 5);
  });

  test('that the reader leaves are given up on request', async () => {
    let writer: FrameWriter | undefined;
    let released = 0;
    let failed = 0;
    handle = async (call) => {
      writer = writerOf(call);
      for (let index = 0; index < 5; index++) writer.write(header, shared, () => released++).catch(() => failed++);
    };
    const call = open();
    call.on('error', () => {});
    await new Promise((resolve) => call.once('metadata', resolve));
    writer?.abandon();
    await eventually(() => failed > 0 && released === 5);
  });
});

test('an object without the stream of grpc-js has no direct path', () => {
  expect(http2StreamOf({})).toBeNull();
  expect(http2StreamOf({ call: null })).toBeNull();
  expect(http2StreamOf({ call: { stream: { write: () => {} } } })).toBeNull();
});
