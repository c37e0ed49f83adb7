/** Tries the direct frame writer once, end to end, against a throw-away server: an upgrade of grpc-js that moves its stream shows here. */
import { Client, credentials, Server, ServerCredentials, type ServiceDefinition } from '@grpc/grpc-js';
import { createFrameWriter, type RawCall } from './fast-frames.ts';

const PATH = '/sluice.Probe/Frames';
/** Only where it does not work: a busy machine may take its time. */
const TIMEOUT_MS = 10_000;
const HEADER = Buffer.from('header');
const BODY = Buffer.from('body');

const PROBE: ServiceDefinition = {
  Frames: {
    path: PATH,
    requestStream: true,
    responseStream: true,
    requestSerialize: (bytes: Buffer) => bytes,
    requestDeserialize: (bytes: Buffer) => bytes,
    responseSerialize: (bytes: Buffer) => bytes,
    responseDeserialize: (bytes: Buffer) => bytes,
  },
};

/** false when frames written past grpc-js do not arrive whole, with an OK status. */
export async function probeFastPath(): Promise<boolean> {
  const server = new Server({ 'grpc.enable_channelz': 0 });
  server.addService(PROBE, { Frames: (call: RawCall) => void answer(call) });
  try {
    const port = await new Promise<number>((resolve, reject) => {
      server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
        error === null ? resolve(bound) : reject(error),
      );
    });
    return (await fetchFrame(port)) === `\x12\x06${HEADER}\xc2\x3e\x04${BODY}`;
  } catch {
    return false;
  } finally {
    server.forceShutdown();
  }
}

async function answer(call: RawCall): Promise<void> {
  call.sendMetadata(call.metadata);
  const writer = createFrameWriter(call, true);
  // Without the direct path nothing is sent, which the client side tells from the empty answer.
  if (writer.fast) await writer.write(HEADER, BODY, () => {}).catch(() => {});
  call.end();
}

function fetchFrame(port: number): Promise<string> {
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure(), { 'grpc.enable_http_proxy': 0, 'grpc.enable_channelz': 0 });
  return new Promise<string>((resolve, reject) => {
    const identity = (bytes: Buffer): Buffer => bytes;
    const call = client.makeServerStreamRequest(PATH, identity, identity, Buffer.alloc(0), { deadline: Date.now() + TIMEOUT_MS });
    let received = '';
    call.on('data', (message: Buffer) => {
      received += message.toString('latin1');
    });
    call.once('error', reject);
    call.once('end', () => resolve(received));
  }).finally(() => client.close());
}
