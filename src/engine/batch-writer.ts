/** The body of one record batch: a bump allocator over a slot of shared memory, with the IPC header at the end. */
import { type BatchLayout, batchHeader } from './batch-header.ts';
import type { BodyCodec } from './compression.ts';
import { type Address, copyNative } from './duckdb-c.ts';
import type { SlotMemory } from './jobs.ts';

const ALIGNMENT = 64;
/** Bytes per buffer that alignment may add. */
export const PADDING: number = ALIGNMENT;
/** A compressed buffer begins with the length of what it holds, -1 = it is not compressed. */
const LENGTH_BYTES = 8;

export class BatchWriter {
  readonly memory: SharedArrayBuffer;
  readonly bytes: Uint8Array;
  readonly #address: Address;
  readonly #nodes: BatchLayout['nodes'][number][] = [];
  readonly #regions: BatchLayout['regions'][number][] = [];
  /** How many data buffers each view column has, in order. */
  readonly #variadic: number[] = [];
  #codec: BodyCodec | null = null;
  #end = 0;

  constructor(slot: SlotMemory) {
    this.memory = slot.memory;
    this.bytes = new Uint8Array(slot.memory);
    this.#address = slot.address;
  }

  get length(): number {
    return this.#end;
  }

  addressAt(offset: number): Address {
    return this.#address + offset;
  }

  node(length: number, nulls: number): void {
    this.#nodes.push({ length, nulls });
  }

  /** Reserves an aligned buffer; what lies in it is old, so every byte of it must be written. */
  reserve(length: number): number {
    const start = this.#end;
    const end = start + length;
    const padded = Math.ceil(end / ALIGNMENT) * ALIGNMENT;
    if (padded > this.bytes.length) throw new Error('record batch outgrew its slot');
    this.bytes.fill(0, end, padded);
    this.#regions.push({ offset: start, length });
    this.#end = padded;
    return start;
  }

  /** The bytes of a view column: one buffer, or none when there are no bytes. */
  reserveVariadic(length: number): number {
    this.#variadic.push(length === 0 ? 0 : 1);
    return length === 0 ? this.#end : this.reserve(length);
  }

  /** The same batch in another slot, each buffer compressed on its own; a buffer that would grow stays as it is. */
  compress(slot: SlotMemory, codec: BodyCodec): BatchWriter {
    const target = new BatchWriter(slot);
    target.#codec = codec;
    target.#nodes.push(...this.#nodes);
    target.#variadic.push(...this.#variadic);
    for (const { offset, length } of this.#regions) {
      if (length === 0) target.empty();
      else target.#addCompressed(this.addressAt(offset), length, codec);
    }
    return target;
  }

  #addCompressed(source: Address, length: number, codec: BodyCodec): void {
    const start = this.reserve(LENGTH_BYTES + length);
    const target = this.addressAt(start + LENGTH_BYTES);
    const size = codec.compress(target, length, source, length);
    if (size === 0) copyNative(target, source, length);
    new DataView(this.memory).setBigInt64(start, size === 0 ? -1n : BigInt(length), true);
    if (size === 0) return;
    this.#regions.pop();
    this.#end = start;
    this.reserve(LENGTH_BYTES + size);
  }

  /** Takes back the newest buffer and leaves an empty one in its place. */
  drop(start: number): void {
    this.#regions.pop();
    this.#end = start;
    this.empty();
  }

  empty(): void {
    this.#regions.push({ offset: this.#end, length: 0 });
  }

  /** Clears behind the newest buffer's `length` bytes again. */
  clearPadding(start: number, length: number): void {
    this.bytes.fill(0, start + length, this.#end);
  }

  int32(offset: number, length: number): Int32Array {
    return new Int32Array(this.memory, offset, length);
  }

  header(rows: number): Uint8Array {
    return batchHeader({
      rows,
      nodes: this.#nodes,
      regions: this.#regions,
      variadic: this.#variadic,
      compression: this.#codec?.type ?? null,
      bodyLength: this.#end,
    });
  }
}
