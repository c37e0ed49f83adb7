/** Batch sources made of others: a finished result, several results in one stream, a result under a promised schema. */
import { Field, Message, type Schema, Schema as SchemaOf } from 'apache-arrow';
import { fail } from '../errors.ts';
import type { BatchSource } from '../model.ts';
import { splitIpcStream } from '../wire/index.ts';

/** The batches of a small Arrow IPC stream that this server wrote. */
export function inlineSource(ipc: Uint8Array, signal: AbortSignal): BatchSource {
  const { schemaHeader, batches } = splitIpcStream(ipc);
  const rest = [...batches];
  const next: BatchSource['next'] = async () => {
    signal.throwIfAborted();
    return rest.shift() ?? null;
  };
  return { schemaHeader, next, [Symbol.asyncDispose]: async () => {} };
}

/** One result after the other under the schema of the first; each is opened when the one before has ended. */
export async function chainSources(open: readonly (() => Promise<BatchSource>)[]): Promise<BatchSource> {
  const [first, ...waiting] = open;
  if (first === undefined) fail('ticket.invalid', 'the ticket holds no statement');
  let current = await first();
  const { schemaHeader } = current;
  return {
    schemaHeader,
    next: async () => {
      for (;;) {
        const batch = await current.next();
        const following = batch === null ? waiting.shift() : undefined;
        if (following === undefined) return batch;
        await current[Symbol.asyncDispose]();
        current = await following();
        requireSameSchema(schemaHeader, current.schemaHeader);
      }
    },
    [Symbol.asyncDispose]: () => current[Symbol.asyncDispose](),
  };
}

/** Sends the schema message that the client was promised, field metadata included, once the columns agree with it. */
export function promisedSource(source: BatchSource, promised: Uint8Array): BatchSource {
  if (promised.length === 0) return source;
  requireSameSchema(promised, source.schemaHeader);
  return { schemaHeader: promised, next: () => source.next(), [Symbol.asyncDispose]: () => source[Symbol.asyncDispose]() };
}

/** Runs `after` once, when the source is disposed. */
export function onDispose(source: BatchSource, after: () => void): BatchSource {
  let disposed = false;
  return {
    schemaHeader: source.schemaHeader,
    next: () => source.next(),
    [Symbol.asyncDispose]: async () => {
      if (disposed) return;
      disposed = true;
      try {
        await source[Symbol.asyncDispose]();
      } finally {
        after();
      }
    },
  };
}

function requireSameSchema(promised: Uint8Array, found: Uint8Array): void {
  if (!sameBytes(promised, found) && !sameBytes(columnsOf(promised), columnsOf(found)))
    fail('policy.changed', 'the columns of this result changed since the query was planned; run it again');
}

/** The schema message without metadata: names, types and nullability only. */
function columnsOf(header: Uint8Array): Uint8Array {
  const message = Message.decode(header);
  if (!message.isSchema()) fail('ticket.invalid', 'the ticket holds no schema');
  const schema = message.header() as Schema;
  return Message.encode(Message.from(new SchemaOf(schema.fields.map(({ name, type, nullable }) => new Field(name, type, nullable)))));
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}
