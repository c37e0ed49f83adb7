/** One Flight call with any messages and headers; shows status, headers and trailers as they came. */
import { Metadata, type StatusObject } from '@grpc/grpc-js';
import type { RawClient } from './flight-client.ts';

export interface Reply {
  readonly code: number;
  readonly details: string;
  readonly messages: readonly Buffer[];
  /** Headers and trailers together. */
  readonly headers: Metadata;
}

/** One call with any messages and headers. */
export function call(client: RawClient, method: string, sent: readonly Uint8Array[], headers: Record<string, string> = {}): Promise<Reply> {
  const metadata = client.metadata();
  for (const [name, value] of Object.entries(headers)) metadata.set(name, value);
  const identity = (bytes: Buffer): Buffer => bytes;
  const stream = client.grpc.makeBidiStreamRequest(`/arrow.flight.protocol.FlightService/${method}`, identity, identity, metadata);
  for (const message of sent) stream.write(Buffer.from(message));
  stream.end();
  const messages: Buffer[] = [];
  const found = new Metadata();
  return new Promise((resolve) => {
    stream.on('data', (message: Buffer) => messages.push(message));
    stream.on('metadata', (first: Metadata) => found.merge(first));
    stream.on('error', () => {});
    stream.on('status', ({ code, details, metadata: trailers }: StatusObject) => {
      found.merge(trailers);
      resolve({ code, details, messages, headers: found });
    });
  });
}
