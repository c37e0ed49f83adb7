/** A DoGet over bare HTTP/2 that reads nothing until told to, so that only the flow-control window (64 KB) leaves the server. */
import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants } from 'node:http2';
import { encode } from './flight-messages.ts';

export interface StalledReader {
  /** Settles when the server has answered with headers: its query runs. */
  readonly started: Promise<void>;
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

/** gRPC's length prefix, uncompressed. */
function frame(message: Uint8Array): Buffer {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}
