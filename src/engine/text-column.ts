/** Text and binary columns while they are written: offsets and bytes, or views over one buffer of bytes (Arrow columnar format 1.4). */
import type { BatchWriter } from './batch-writer.ts';
import { type ColumnType, isView } from './column-type.ts';
import { type Address, addressOf } from './duckdb-c.ts';

const VIEW_BYTES = 16;
/** Values up to this length stand in the view itself. */
const INLINE_BYTES = 12;

/** Takes offsets, then bytes; the column is complete after `close`. */
export class TextColumn {
  /** One more than rows; the first is 0. */
  readonly offsets: Int32Array;
  readonly offsetsAddress: Address;
  readonly #writer: BatchWriter;
  readonly #views: number | null;
  #bytes = 0;

  constructor(writer: BatchWriter, type: ColumnType, rows: number) {
    this.#writer = writer;
    if (isView(type)) {
      this.#views = writer.reserve(VIEW_BYTES * rows);
      this.offsets = new Int32Array(rows + 1);
      this.offsetsAddress = addressOf(new Uint8Array(this.offsets.buffer));
    } else {
      const start = writer.reserve(4 * (rows + 1));
      this.#views = null;
      this.offsets = writer.int32(start, rows + 1);
      this.offsetsAddress = writer.addressAt(start);
    }
    this.offsets[0] = 0;
  }

  /** Where the bytes go; called once, and every one of them is written before `close`. */
  reserveBytes(length: number): number {
    this.#bytes = this.#views === null ? this.#writer.reserve(length) : this.#writer.reserveVariadic(length);
    return this.#bytes;
  }

  close(): void {
    if (this.#views === null) return;
    const { bytes } = this.#writer;
    const rows = this.offsets.length - 1;
    const words = this.#writer.int32(this.#views, 4 * rows).fill(0);
    for (let row = 0; row < rows; row++) {
      const start = this.offsets[row] ?? 0;
      const length = (this.offsets[row + 1] ?? 0) - start;
      const view = this.#views + VIEW_BYTES * row;
      const from = this.#bytes + start;
      words[4 * row] = length;
      bytes.copyWithin(view + 4, from, from + (length <= INLINE_BYTES ? length : 4));
      if (length > INLINE_BYTES) words[4 * row + 3] = start;
    }
  }
}
