/** A DoGet over bare HTTP/2 that reads nothing, or slowly, until told otherwise: only the flow-control window (64 KB) runs ahead of it. */
import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants } from 'node:http2';
import { setTimeout as sleep } from 'node:timers/promises';
import { encode } from './flight-messages.ts';

export interface StalledReader {
  /** Settles when the server has answered with headers: its query runs. */
  readonly started: Promise<void>;
  /** Reads so many bytes each second until the signal fires; gives the bytes received. Rejects when the stream ends before. */
  trickle(bytesPerSecond: number, signal: AbortSignal): Promise<number>;
  /** Reads to the end; gives the bytes received. */
  readAll(): Promise<number>;
  /** RST_STREAM, then closes the connection. */
  reset(): void;
}

export function openStalledReader(port: number, authorization: string, ticket: Uint8Array): StalledReader {
  const session: ClientHttp2Session = connect(`http://127.0.0.1:${port}`);
  session.on('error', () => {});
  const stream: ClientHttp2Stream = session.request({
    ':method': 'POST',
    ':path': '/arrow.flight.protocol.FlightService/DoGet',
    'content-type': 'application/grpc',
    te: 'trailers',
    authorization,
  });
  stream.on('error', () => {});
  stream.pause();
  stream.end(frame(encode('Ticket', { ticket })));
  return {
    started: new Promise((resolve, reject) => {
      stream.once('response', (headers) => {
        const status = headers['grpc-status'];
        if (status === undefined || status === '0') resolve();
        else reject(new Error(`DoGet failed with grpc-status ${String(status)}`));
      });
      stream.once('close', () => reject(new Error('DoGet ended before it answered')));
    }),
    trickle: (bytesPerSecond, signal) => trickle(stream, bytesPerSecond, signal),
    readAll: () =>
      new Promise((resolve, reject) => {
        let bytes = 0;
        stream.on('data', (chunk: Buffer) => {
          bytes += chunk.length;
        });
        stream.once('end', () => resolve(bytes));
        stream.once('error', reject);
        stream.resume();
      }),
    reset: () => {
      stream.close(constants.NGHTTP2_CANCEL);
      session.close();
    },
  };
}

async function trickle(stream: ClientHttp2Stream, bytesPerSecond: number, signal: AbortSignal): Promise<number> {
  let bytes = 0;
  while (!signal.aborted) {
    if (stream.destroyed || stream.readableEnded) throw new Error(`the stream ended after ${bytes} bytes`);
    const chunk: Buffer | null = stream.read(bytesPerSecond) ?? stream.read();
    bytes += chunk?.length ?? 0;
    await sleep(1000, undefined, { signal }).catch(() => {});
  }
  return bytes;
}

/** gRPC's length prefix, uncompressed. */
function frame(message: Uint8Array): Buffer {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}
