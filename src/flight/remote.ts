/**
 * DoGet by another server of the cluster, for clients that do not follow locations: the planner passes the worker's
 * messages on as they come. A worker that can not be reached is passed over until its first message; after that the
 * stream fails with it, for a second one would repeat rows.
 */
import { type ChannelCredentials, type Client, type ClientReadableStream, Metadata, type ServiceError, status } from '@grpc/grpc-js';
import { ERRORS, type ErrorCode, fail, SluiceError } from '../errors.ts';
import type { BatchSource } from '../model.ts';
import {
  type CancelStatus,
  decodeCancelAnswer,
  decodeFlightData,
  encodeCancelRequest,
  encodeTaskTicket,
  encodeTicketMessage,
  messageRows,
} from '../wire/index.ts';
import { createChannels } from './channels.ts';

/** In trailers: the code of errors.ts, so that another server of the cluster can tell what happened. */
export const ERROR_CODE_TRAILER = 'x-sluice-error';

const DO_GET = '/arrow.flight.protocol.FlightService/DoGet';
const DO_ACTION = '/arrow.flight.protocol.FlightService/DoAction';
/** One that does not answer a cancel by then is not waited for. */
const CANCEL_MS = 3_000;

export interface Remote extends AsyncDisposable {
  /** Streams a sealed ticket from the first of `locations` that answers. Rejects with what the worker said, or server.unavailable. */
  read(sealed: Uint8Array, locations: readonly string[], bearer: string, signal: AbortSignal): Promise<BatchSource>;
  /** Asks one server to end what runs for these tickets; null when it did not answer in time. Never rejects. */
  cancel(sealed: readonly Uint8Array[], location: string, bearer: string): Promise<CancelStatus | null>;
}

/** `credentialsFor`: how to reach a location's scheme, `grpc` or `grpc+tls`. */
export function createRemote(credentialsFor: (scheme: string) => ChannelCredentials): Remote {
  const channels = createChannels(credentialsFor);
  return {
    read: async (sealed, locations, bearer, signal) => {
      const request = encodeTicketMessage(encodeTaskTicket(sealed));
      let last = new SluiceError('server.unavailable', 'no worker that can run this is alive; try again');
      for (const location of locations) {
        try {
          return await open(channels.to(location), request, bearer, signal);
        } catch (error) {
          last = toLocal(error, signal);
          if (!ELSEWHERE_BETTER.has(last.code)) throw last;
        }
      }
      throw last;
    },
    cancel: async (sealed, location, bearer) => {
      try {
        return await askCancel(channels.to(location), encodeCancelRequest(sealed.map(encodeTaskTicket)), bearer);
      } catch {
        return null;
      }
    },
    [Symbol.asyncDispose]: async () => channels.close(),
  };
}

async function askCancel(client: Client, request: Uint8Array, bearer: string): Promise<CancelStatus | null> {
  const options = { deadline: Date.now() + CANCEL_MS };
  const call = client.makeServerStreamRequest(DO_ACTION, identity, identity, Buffer.from(request), authorized(bearer), options);
  try {
    for await (const answer of call as AsyncIterable<Buffer>) return decodeCancelAnswer(answer);
    return null;
  } finally {
    end(call);
  }
}

function authorized(bearer: string): Metadata {
  const metadata = new Metadata();
  metadata.set('authorization', `Bearer ${bearer}`);
  return metadata;
}

/**
 * What another worker may answer differently; everything else is about the ticket or its caller. This server has opened the ticket and
 * knows the caller: who does not has another cluster key.
 */
const ELSEWHERE_BETTER: ReadonlySet<ErrorCode> = new Set([
  'server.unavailable',
  'limit.busy',
  'storage.unavailable',
  'ticket.version',
  'ticket.invalid',
  'auth.invalid',
]);

async function open(client: Client, request: Uint8Array, bearer: string, signal: AbortSignal): Promise<BatchSource> {
  signal.throwIfAborted();
  const call = client.makeServerStreamRequest(DO_GET, identity, identity, Buffer.from(request), authorized(bearer));
  const cancel = (): void => call.cancel();
  signal.addEventListener('abort', cancel, { once: true });
  const messages = (call as AsyncIterable<Buffer>)[Symbol.asyncIterator]();
  const next = async (): Promise<ReturnType<typeof decodeFlightData> | null> => {
    const { done, value } = await messages.next();
    return done === true ? null : decodeFlightData(value);
  };
  const close = async (): Promise<void> => {
    signal.removeEventListener('abort', cancel);
    end(call);
  };
  try {
    const schema = (await next()) ?? fail('server.internal', 'internal error', 'the worker sent no schema');
    return {
      schemaHeader: schema.header,
      next: async () => {
        const message = await next().catch((error: unknown) => {
          throw toLocal(error, signal);
        });
        if (message === null) return null;
        return { header: message.header, body: message.body, rows: messageRows(message.header), release: () => {} };
      },
      [Symbol.asyncDispose]: close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** A cancel after the end says nothing; its error must not go unheard. */
function end(call: ClientReadableStream<Buffer>): void {
  call.on('error', () => {});
  call.cancel();
}

function toLocal(error: unknown, signal: AbortSignal): SluiceError {
  if (signal.aborted && signal.reason instanceof SluiceError) return signal.reason;
  if (error instanceof SluiceError) return error;
  const { code, details, metadata } = error as Partial<ServiceError>;
  const named = metadata?.get(ERROR_CODE_TRAILER)[0]?.toString();
  if (named !== undefined && Object.hasOwn(ERRORS, named)) return new SluiceError(named as ErrorCode, details ?? '', error);
  if (code === status.UNAVAILABLE) return new SluiceError('server.unavailable', 'the worker went away; run the query again', error);
  return new SluiceError('server.internal', 'internal error', error);
}

function identity(bytes: Buffer): Buffer {
  return bytes;
}
