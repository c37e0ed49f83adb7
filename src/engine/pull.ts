/** Pulls one record batch out of a cursor: fetch chunks until a slot is full, then gather them column by column. */
import { BatchWriter, PADDING } from './batch-writer.ts';
import type { ColumnType } from './column-type.ts';
import { bodyCodec } from './compression.ts';
import { type Address, addressOf, api, destroy, releaseStruct, resultValue, takeErrorData } from './duckdb-c.ts';
import { gather } from './gather.ts';
import { type Cursor, JobError, type Pulled, type SlotMemory } from './jobs.ts';
import { measure, type Piece, readArrays, slice, vectorPiece } from './piece.ts';
import { Scratch } from './scratch.ts';
import { resultError } from './statement.ts';

/** The first batches are small so that a reader sees rows early. */
const FIRST_BATCH_BYTES = 256 * 1024;
/** A slow query hands over what it has. */
const MAX_WAIT_MS = 100;
/** A batch this small leaves its slot at once. */
const COPY_BYTES = 64 * 1024;
/** This thread's; a pull leaves nothing in it. */
const scratch: Scratch = new Scratch();

export function pull(cursor: Cursor, slot: SlotMemory, maxRows: number): Pulled {
  const types = readLayout(cursor.layout);
  const overhead = headerBytes(types, cursor.compression !== 'none');
  const room = slot.memory.byteLength - overhead;
  const batch = new Batch(cursor, types, room, Math.min(room, FIRST_BATCH_BYTES * 4 ** Math.min(cursor.batches, 8)), maxRows);
  try {
    const stop = batch.fill();
    const position = { ...batch.carried, batches: cursor.batches + (stop !== 'grow' && batch.rows > 0 ? 1 : 0) };
    if (stop === 'grow') return { kind: 'grow', bytes: batch.needed + overhead, position };
    if (batch.rows === 0) return { kind: 'end', position };
    return { ...batch.write(slot), ended: stop === 'end', position };
  } catch (error) {
    // The cursor that the main thread knows still names the carried chunk: it must not be freed twice.
    batch.keepFirstChunk(cursor.chunk);
    throw error;
  } finally {
    batch.free();
  }
}

const LAYOUTS_KEPT = 64;
/** Read once, not once a batch. */
const layouts: Map<string, readonly ColumnType[]> = new Map();

function readLayout(text: string): readonly ColumnType[] {
  const known = layouts.get(text);
  if (known !== undefined) return known;
  if (layouts.size >= LAYOUTS_KEPT) layouts.clear();
  // Written by openCursor of this very process.
  const types = JSON.parse(text) as readonly ColumnType[];
  layouts.set(text, types);
  return types;
}

/** A node, up to three buffers and a count of view buffers. */
const HEADER_BYTES = 72;
/** Up to three buffers' lengths, and padding again. */
const COMPRESSION_BYTES = 3 * (8 + PADDING);

/** Upper bound of the IPC header and of what compression may add. */
function headerBytes(types: readonly ColumnType[], isCompressed: boolean): number {
  const count = (type: ColumnType): number => 1 + type.children.reduce((sum, child) => sum + count(child), 0);
  return 1024 + (HEADER_BYTES + (isCompressed ? COMPRESSION_BYTES : 0)) * types.reduce((sum, type) => sum + count(type), 0);
}

/** Where this thread gathers a batch that is compressed into its slot. */
let staging: SlotMemory | null = null;

function stagingFor(slot: SlotMemory): SlotMemory {
  const bytes = slot.memory.byteLength;
  if (staging?.memory.byteLength === bytes) return staging;
  const memory = new SharedArrayBuffer(bytes);
  staging = { memory, address: addressOf(Buffer.from(memory)) };
  return staging;
}

type Stop = 'full' | 'end' | 'grow';

/** Rows of one chunk that go into the batch. */
interface Part {
  readonly pieces: readonly Piece[];
  readonly bytes: number;
}

class Batch {
  rows = 0;
  /** Bytes that the first row needs, after `grow`. */
  needed = 0;
  carried: { readonly chunk: Address; readonly from: number } = { chunk: 0, from: 0 };
  readonly #cursor: Cursor;
  readonly #types: readonly ColumnType[];
  readonly #room: number;
  /** What the client wishes; a row above it goes alone. */
  readonly #wished: number;
  readonly #target: number;
  readonly #maxRows: number;
  readonly #parts: Part[] = [];
  readonly #chunks: Address[] = [];
  readonly #arrays: BigUint64Array[] = [];
  #bytes = 0;

  constructor(cursor: Cursor, types: readonly ColumnType[], room: number, target: number, maxRows: number) {
    this.#cursor = cursor;
    this.#types = types;
    this.#room = room;
    this.#wished = cursor.batchBytes === 0 ? room : Math.min(room, cursor.batchBytes);
    this.#target = Math.min(target, this.#wished);
    this.#maxRows = maxRows;
    this.carried = { chunk: cursor.chunk, from: cursor.from };
  }

  fill(): Stop {
    const result = resultValue(this.#cursor.result);
    const deadline = performance.now() + MAX_WAIT_MS;
    for (;;) {
      const { chunk: waiting, from } = this.carried;
      const chunk = waiting === 0 ? api.fetchChunk(result) : waiting;
      if (chunk === 0) return this.#end();
      this.carried = { chunk: 0, from: 0 };
      this.#chunks.push(chunk);
      const stop = this.#add(chunk, from);
      if (stop !== null) return stop;
      const last = this.#parts.at(-1)?.bytes ?? 0;
      if (this.#bytes >= this.#target || this.#bytes + last > this.#wished || this.rows >= this.#maxRows) return 'full';
      if (performance.now() > deadline) return 'full';
    }
  }

  write(slot: SlotMemory): Omit<Extract<Pulled, { kind: 'batch' }>, 'ended' | 'position'> {
    const codec = bodyCodec(this.#cursor.compression);
    const plain = new BatchWriter(codec === null ? slot : stagingFor(slot));
    this.#types.forEach((type, index) => {
      gather(
        plain,
        type,
        this.#parts.map((part) => part.pieces[index] as Piece),
      );
    });
    const writer = codec === null ? plain : plain.compress(slot, codec);
    const header = writer.header(this.rows);
    const body = writer.length <= COPY_BYTES ? writer.bytes.slice(0, writer.length) : null;
    return { kind: 'batch', header, body, length: writer.length, rows: this.rows };
  }

  /** After a failure: the chunk the cursor came with stays the cursor's. */
  keepFirstChunk(chunk: Address): void {
    const index = chunk === 0 ? -1 : this.#chunks.indexOf(chunk);
    if (index >= 0) this.#chunks.splice(index, 1);
    if (this.carried.chunk !== 0 && this.carried.chunk !== chunk) destroy(api.destroyChunk, this.carried.chunk);
  }

  free(): void {
    scratch.reset();
    for (const array of this.#arrays) releaseStruct(Number(array[8]), array);
    for (const chunk of this.#chunks) destroy(api.destroyChunk, chunk);
  }

  #end(): Stop {
    const error = api.resultError(this.#cursor.result);
    if (error !== null && error !== '') throw resultError(this.#cursor.result);
    return 'end';
  }

  /** Adds as many rows of the chunk as fit; null = go on. */
  #add(chunk: Address, from: number): Stop | null {
    const total = api.chunkSize(chunk);
    const pieces = this.#load(chunk, total);
    const rows = Math.min(total - from, this.#maxRows - this.rows);
    const { rows: fits, bytes } = this.#fitOrOne(pieces, from, rows);
    if (fits === 0 || (fits < rows && this.rows > 0)) {
      this.#carry(chunk, from);
      if (this.rows > 0) return 'full';
      this.needed = this.#measure(pieces, from, 1);
      return 'grow';
    }
    this.#parts.push({ pieces: pieces.map((piece) => slice(piece, from, fits)), bytes });
    this.#bytes += bytes;
    this.rows += fits;
    if (fits === total - from) return null;
    this.#carry(chunk, from + fits);
    return 'full';
  }

  #carry(chunk: Address, from: number): void {
    this.#chunks.pop();
    this.carried = { chunk, from };
  }

  #fitOrOne(pieces: readonly Piece[], from: number, rows: number): { readonly rows: number; readonly bytes: number } {
    const fit = this.#fit(pieces, from, rows);
    if (fit.rows > 0 || this.rows > 0) return fit;
    const bytes = this.#measure(pieces, from, 1);
    return bytes <= this.#room ? { rows: 1, bytes } : fit;
  }

  /** The largest number of rows that fits what is left, and the bytes they take. */
  #fit(pieces: readonly Piece[], from: number, rows: number): { readonly rows: number; readonly bytes: number } {
    const left = this.#wished - this.#bytes;
    let best = { rows, bytes: this.#measure(pieces, from, rows) };
    if (best.bytes <= left) return best;
    best = { rows: 0, bytes: 0 };
    for (let high = rows; high - best.rows > 1; ) {
      const middle = (best.rows + high) >> 1;
      const bytes = this.#measure(pieces, from, middle);
      if (bytes <= left) best = { rows: middle, bytes };
      else high = middle;
    }
    return best;
  }

  #measure(pieces: readonly Piece[], from: number, rows: number): number {
    return this.#types.reduce((bytes, type, index) => bytes + measure(type, pieces[index] as Piece, from, rows), PADDING);
  }

  #load(chunk: Address, rows: number): Piece[] {
    const converted = this.#convert(chunk, rows);
    let next = 0;
    return this.#types.map((type, index) =>
      type.direct === null ? (converted[next++] as Piece) : vectorPiece(api.chunkVector(chunk, index), type.direct.kind, rows, scratch),
    );
  }

  /** Lets DuckDB convert the columns that are not copied straight from their vectors. */
  #convert(chunk: Address, rows: number): Piece[] {
    const { conversion, options } = this.#cursor;
    if (conversion === 0) return [];
    const types: ColumnType[] = [];
    this.#types.forEach((type, index) => {
      if (type.direct !== null) return;
      api.referenceVector(api.chunkVector(conversion, types.length), api.chunkVector(chunk, index));
      types.push(type);
    });
    api.setChunkSize(conversion, rows);
    const array = new BigUint64Array(10);
    const error = takeErrorData(api.chunkToArrow(options, conversion, array));
    if (error !== null) throw new JobError({ kind: 'fault', text: error });
    this.#arrays.push(array);
    return readArrays(types, array);
  }
}
