/** An Arrow stream of a client cut into streams of bounded size, each with the schema and the dictionaries so far. */
import { fail } from '../errors.ts';

export interface ChunkLimits {
  /** A chunk ends with the batch that reaches one of these. */
  readonly bytes: number;
  readonly batches: number;
  /** Of schema and dictionaries, which are part of every chunk. */
  readonly prefixBytes: number;
}

type Kind = 'schema' | 'dictionary' | 'batch' | 'end';

const KINDS: Readonly<Record<number, Kind>> = { 1: 'schema', 2: 'dictionary', 3: 'batch' };
/** Continuation marker and length. */
const PREFIX_BYTES = 8;
const END: Uint8Array = Uint8Array.of(255, 255, 255, 255, 0, 0, 0, 0);

/** At least one stream, also without batches. `messages` are whole ones. Rejects with request.malformed, limit.memory. */
export async function* chunks(messages: AsyncIterable<Uint8Array>, limits: ChunkLimits): AsyncGenerator<Uint8Array, void, undefined> {
  const gathered = new Gathered(limits);
  let taken = 0;
  for await (const message of messages) {
    const kind = kindOf(message);
    if (kind === 'end') break;
    // A later dictionary must not change the batches before it.
    if ((kind === 'dictionary' && gathered.hasBatches) || gathered.isFull) {
      yield gathered.take();
      taken++;
    }
    gathered.add(kind, message);
  }
  if (taken === 0 || gathered.hasBatches) yield gathered.take();
}

class Gathered {
  readonly #limits: ChunkLimits;
  readonly #prefix: Uint8Array[] = [];
  #batches: Uint8Array[] = [];

  constructor(limits: ChunkLimits) {
    this.#limits = limits;
  }

  get hasBatches(): boolean {
    return this.#batches.length > 0;
  }

  get isFull(): boolean {
    return sizeOf(this.#batches) >= this.#limits.bytes || this.#batches.length >= this.#limits.batches;
  }

  add(kind: Exclude<Kind, 'end'>, message: Uint8Array): void {
    if ((kind === 'schema') !== (this.#prefix.length === 0)) this.#noSchema();
    (kind === 'batch' ? this.#batches : this.#prefix).push(message);
    const { prefixBytes } = this.#limits;
    if (sizeOf(this.#prefix) > prefixBytes)
      fail('limit.memory', `the schema and the dictionaries are larger than ${prefixBytes} bytes; send plain columns`);
  }

  take(): Uint8Array {
    if (this.#prefix.length === 0) this.#noSchema();
    const stream = Buffer.concat([...this.#prefix, ...this.#batches, END]);
    this.#batches = [];
    return stream;
  }

  #noSchema(): never {
    return fail('request.malformed', 'the rows must begin with one Arrow schema');
  }
}

function sizeOf(parts: readonly Uint8Array[]): number {
  return parts.reduce((sum, part) => sum + part.length, 0);
}

/** Reads two numbers of the flatbuffer; nothing in it is believed before it was compared with its length. */
export function kindOf(message: Uint8Array): Kind {
  const malformed = (): never => fail('request.malformed', 'a message is no Arrow message');
  const view = new DataView(message.buffer, message.byteOffset, message.byteLength);
  if (message.length < PREFIX_BYTES || view.getUint32(0, true) !== 0xffffffff) return malformed();
  const length = view.getInt32(4, true);
  if (length === 0) return 'end';
  if (length < 0 || PREFIX_BYTES + length > message.length) return malformed();
  const header = new DataView(message.buffer, message.byteOffset + PREFIX_BYTES, length);
  try {
    const table = header.getUint32(0, true);
    const vtable = table - header.getInt32(table, true);
    // The second field of a Message is the kind of its header.
    const slot = header.getUint16(vtable, true) > HEADER_TYPE ? header.getUint16(vtable + HEADER_TYPE, true) : 0;
    return (slot === 0 ? undefined : KINDS[header.getUint8(table + slot)]) ?? malformed();
  } catch {
    return malformed();
  }
}

/** Of its entry in the table of fields. */
const HEADER_TYPE = 6;
