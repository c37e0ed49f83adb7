/** The body of one record batch: a bump allocator over a slot of shared memory, with the IPC header at the end. */
import { Message, MessageHeader, MetadataVersion } from 'apache-arrow';
import { BufferRegion, FieldNode, RecordBatch } from 'apache-arrow/ipc/metadata/message';
import type { Address } from './duckdb-c.ts';
import type { SlotMemory } from './jobs.ts';

const ALIGNMENT = 64;
/** Bytes per buffer that alignment may add. */
export const PADDING: number = ALIGNMENT;

export class BatchWriter {
  readonly memory: SharedArrayBuffer;
  readonly bytes: Uint8Array;
  readonly #address: Address;
  readonly #nodes: FieldNode[] = [];
  readonly #regions: BufferRegion[] = [];
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
    this.#nodes.push(new FieldNode(length, nulls));
  }

  /** Reserves an aligned buffer; what lies in it is old, so every byte of it must be written. */
  reserve(length: number): number {
    const start = this.#end;
    const end = start + length;
    const padded = Math.ceil(end / ALIGNMENT) * ALIGNMENT;
    if (padded > this.bytes.length) throw new Error('record batch outgrew its slot');
    this.bytes.fill(0, end, padded);
    this.#regions.push(new BufferRegion(start, length));
    this.#end = padded;
    return start;
  }

  /** Takes back the newest buffer and leaves an empty one in its place. */
  drop(start: number): void {
    this.#regions.pop();
    this.#end = start;
    this.empty();
  }

  empty(): void {
    this.#regions.push(new BufferRegion(this.#end, 0));
  }

  /** Clears behind the newest buffer's `length` bytes again. */
  clearPadding(start: number, length: number): void {
    this.bytes.fill(0, start + length, this.#end);
  }

  int32(offset: number, length: number): Int32Array {
    return new Int32Array(this.memory, offset, length);
  }

  header(rows: number): Uint8Array {
    const batch = new RecordBatch(rows, this.#nodes, this.#regions, null);
    return Message.encode(new Message(this.#end, MetadataVersion.V5, MessageHeader.RecordBatch, batch));
  }
}
