/** Any bytes to any Flight method as a stream both ways, and how the call ended; the judge of what a client may see of a failure. */
import { Metadata, type ServiceError, status } from '@grpc/grpc-js';
import { expect } from 'vitest';
import type { Failure, RawClient } from '../flight-client.ts';

export interface RawAnswer extends Failure {
  /** `x-request-id`; undefined when the request did not reach the product. */
  readonly requestId: string | undefined;
  readonly messages: readonly Buffer[];
}

export interface RawRequest {
  readonly method: string;
  readonly messages: readonly Uint8Array[];
  /** Beside `authorization`. */
  readonly headers?: Readonly<Record<string, string>>;
}

export const METHODS: readonly string[] = [
  'Handshake',
  'ListFlights',
  'GetFlightInfo',
  'PollFlightInfo',
  'GetSchema',
  'DoGet',
  'DoPut',
  'DoExchange',
  'DoAction',
  'ListActions',
];
/** A call that hangs longer is a fault of the server. */
const PATIENCE_MS = 180_000;
const same = (bytes: Buffer): Buffer => bytes;

/** Never rejects. */
export function rawCall(client: RawClient, { method, messages, headers = {} }: RawRequest): Promise<RawAnswer> {
  const metadata = client.metadata();
  for (const [name, value] of Object.entries(headers)) metadata.set(name, value);
  const call = client.grpc.makeBidiStreamRequest(`/arrow.flight.protocol.FlightService/${method}`, same, same, metadata, {
    deadline: Date.now() + PATIENCE_MS,
  });
  return new Promise((resolve) => {
    const received: Buffer[] = [];
    let first = new Metadata();
    call.on('metadata', (found: Metadata) => {
      first = found;
    });
    call.on('data', (message: Buffer) => received.push(message));
    call.on('error', (_error: ServiceError) => {});
    call.on('status', ({ code, details, metadata: last }) => {
      const id = first.get('x-request-id')[0] ?? last.get('x-request-id')[0];
      resolve({ status: status[code] ?? String(code), message: details, requestId: id?.toString(), messages: received });
    });
    for (const message of messages) call.write(Buffer.from(message));
    call.end();
  });
}

/** What the server says of the caller's faults; its own (INTERNAL, UNKNOWN, UNAVAILABLE, a hang) are not among them. */
const CALLERS_FAULTS: readonly string[] = [
  'INVALID_ARGUMENT',
  'NOT_FOUND',
  'ALREADY_EXISTS',
  'PERMISSION_DENIED',
  'UNAUTHENTICATED',
  'RESOURCE_EXHAUSTED',
  'FAILED_PRECONDITION',
  'UNIMPLEMENTED',
  'ABORTED',
  'CANCELLED',
];
export const INSIDE: RegExp =
  /\n\s+at |node_modules|dist\/|\/home|\/tmp|\/root|\/work|__source|undefined|\[object|cannot read prop|is not a function|RangeError|TypeError|flatbuffer|protobufjs|index out of range/i;

/** A fault of the caller, said in words, without the server's inside. */
export function expectClear(failure: Failure, statuses: readonly string[], what: string): void {
  expect(statuses, `${what}: ${failure.status} ${failure.message}`).toContain(failure.status);
  expect(failure.message.length, what).toBeGreaterThan(5);
  expect(failure.message.length, what).toBeLessThan(2000);
  expect(failure.message, what).not.toMatch(INSIDE);
}

/** Right or clearly refused, and known to the audit log. */
export function expectDecent(answer: RawAnswer, { method, messages, headers = {} }: RawRequest): void {
  const what = `${method} ${JSON.stringify(headers)} ${messages.map((message) => Buffer.from(message).toString('hex').slice(0, 4000)).join(' ')}`;
  expect(answer.requestId, what).toBeDefined();
  if (answer.status !== 'OK') expectClear(answer, CALLERS_FAULTS, what);
}
