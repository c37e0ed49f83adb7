/**
 * Text vectors, read without a native call per value. DuckDB keeps 16 bytes a value: a length, then either up to 12 bytes
 * or a pointer. The bytes behind pointers lie one after the other for runs of rows, so a chunk takes a few copies; the
 * rest is moved 8 bytes at a time.
 */
import { getBit } from './bitmap.ts';
import { type Address, copyNative, copyOut } from './duckdb-c.ts';
import type { Scratch } from './scratch.ts';

const VALUE_BYTES = 16;
const INLINE_BYTES = 12;
/** From here on a block copy beats moving words. */
const LONG_BYTES = 256;
/** Values are moved in whole steps of 16 bytes: a source and a target need this much room behind their end. */
const SLACK = 16;

/** The values of one vector, in scratch memory. */
export interface Strings {
  readonly rows: number;
  /** DuckDB's 16 bytes a row; the length of a NULL is 0. */
  readonly words: Int32Array;
  /** The bytes of all values that are not inline, in row order. */
  readonly heap: DataView;
  /** Of all values. */
  readonly bytes: number;
}

export function loadStrings(scratch: Scratch, data: Address, validity: Address, rows: number): Strings {
  const piece = scratch.take(VALUE_BYTES * rows);
  copyNative(piece.address, data, VALUE_BYTES * rows);
  const words = new Int32Array(piece.buffer, piece.offset, 4 * rows);
  if (validity !== 0) clearNulls(words, validity, rows);
  const { runs, inHeap, bytes } = findRuns(words, rows);
  return { rows, words, heap: copyHeap(scratch, runs, inHeap), bytes };
}

function clearNulls(words: Int32Array, validity: Address, rows: number): void {
  const bits = new Uint8Array(Math.ceil(rows / 8));
  copyOut(bits, validity, bits.length);
  for (let row = 0; row < rows; row++) if (!getBit(bits, row)) words[4 * row] = 0;
}

interface Runs {
  /** Start and end addresses, in row order. */
  readonly runs: readonly Address[];
  readonly inHeap: number;
  readonly bytes: number;
}

function findRuns(words: Int32Array, rows: number): Runs {
  const runs: Address[] = [];
  let end = 0;
  let inHeap = 0;
  let bytes = 0;
  for (let at = 0; at < 4 * rows; at += 4) {
    const length = (words[at] as number) >>> 0;
    bytes += length;
    if (length <= INLINE_BYTES) continue;
    inHeap += length;
    const pointer = ((words[at + 2] as number) >>> 0) + ((words[at + 3] as number) >>> 0) * 0x1_0000_0000;
    if (pointer !== end) {
      if (end !== 0) runs.push(end);
      runs.push(pointer);
    }
    end = pointer + length;
  }
  if (end !== 0) runs.push(end);
  return { runs, inHeap, bytes };
}

const NO_HEAP: DataView = new DataView(new ArrayBuffer(SLACK));

function copyHeap(scratch: Scratch, runs: readonly Address[], inHeap: number): DataView {
  if (inHeap === 0) return NO_HEAP;
  const piece = scratch.take(inHeap + SLACK);
  let target = piece.address;
  for (let run = 0; run < runs.length; run += 2) {
    const start = runs[run] as number;
    const length = (runs[run + 1] as number) - start;
    copyNative(target, start, length);
    target += length;
  }
  return new DataView(piece.buffer, piece.offset, inHeap + SLACK);
}

/** Bytes of the values of rows `from`…`to`. */
export function stringBytes(strings: Strings, from: number, to: number): number {
  if (from === 0 && to === strings.rows) return strings.bytes;
  let bytes = 0;
  for (let row = from; row < to; row++) bytes += (strings.words[4 * row] as number) >>> 0;
  return bytes;
}

/** Where values go: offsets behind `row`, bytes from `end` on. */
export interface StringTarget {
  readonly offsets: Int32Array;
  /** With room behind the last byte, which is scribbled on. */
  readonly bytes: DataView;
  row: number;
  end: number;
}

/**
 * Appends rows `from`…`to`. Eight bytes go through a float, whose bits a JS engine may change for NaN only: valid UTF-8,
 * which DuckDB guarantees, never has a NaN's two highest bytes (0xFF, or 0x7F behind a byte of 0xF0 and more).
 */
export function writeStrings(target: StringTarget, strings: Strings, from: number, to: number): void {
  const { offsets, bytes } = target;
  const { words, heap } = strings;
  let { row, end } = target;
  let position = heapStart(strings, from);
  for (let at = 4 * from; at < 4 * to; at += 4) {
    const length = (words[at] as number) >>> 0;
    if (length <= INLINE_BYTES) {
      bytes.setInt32(end, words[at + 1] as number, true);
      if (length > 4) {
        bytes.setInt32(end + 4, words[at + 2] as number, true);
        bytes.setInt32(end + 8, words[at + 3] as number, true);
      }
    } else {
      if (length < LONG_BYTES) moveWords(bytes, end, heap, position, length);
      else moveBlock(bytes, end, heap, position, length);
      position += length;
    }
    end += length;
    offsets[++row] = end;
  }
  target.row = row;
  target.end = end;
}

/** Bytes of the values of rows `from`…`to` that are not inline. */
export function heapBytes(strings: Strings, from: number, to: number): number {
  return heapStart(strings, to) - heapStart(strings, from);
}

/** Where views go, and the bytes of the longer values. */
export interface ViewTarget {
  /** Four a row. */
  readonly words: Int32Array;
  readonly bytes: Uint8Array;
  row: number;
  end: number;
}

/** Appends rows `from`…`to` as Arrow views: DuckDB's own 16 bytes, with a place in the buffer instead of a pointer. */
export function writeViews(target: ViewTarget, strings: Strings, from: number, to: number): void {
  const { words } = target;
  const heap = heapStart(strings, from);
  const first = target.end;
  words.set(strings.words.subarray(4 * from, 4 * to), 4 * target.row);
  for (let at = 4 * target.row, end = 4 * (target.row + to - from); at < end; at += 4) {
    const length = (words[at] as number) >>> 0;
    if (length <= INLINE_BYTES) clearTail(words, at, length);
    else {
      words[at + 2] = 0;
      words[at + 3] = target.end;
      target.end += length;
    }
  }
  const bytes = new Uint8Array(strings.heap.buffer, strings.heap.byteOffset + heap, target.end - first);
  target.bytes.set(bytes, first);
  target.row += to - from;
}

/** Zeroes the inline bytes behind the value: of a NULL, all of them. */
function clearTail(words: Int32Array, at: number, length: number): void {
  for (let word = 0; word < 3; word++) {
    const bits = 8 * (length - 4 * word);
    if (bits <= 0) words[at + 1 + word] = 0;
    else if (bits < 32) words[at + 1 + word] = (words[at + 1 + word] as number) & ((1 << bits) - 1);
  }
}

/** Where the values of rows from `row` on begin in the heap. */
function heapStart({ words }: Strings, row: number): number {
  let bytes = 0;
  for (let index = 0; index < row; index++) {
    const length = (words[4 * index] as number) >>> 0;
    if (length > INLINE_BYTES) bytes += length;
  }
  return bytes;
}

function moveWords(target: DataView, to: number, source: DataView, from: number, length: number): void {
  for (let at = 0; at < length; at += 16) {
    target.setFloat64(to + at, source.getFloat64(from + at, true), true);
    target.setFloat64(to + at + 8, source.getFloat64(from + at + 8, true), true);
  }
}

function moveBlock(target: DataView, to: number, source: DataView, from: number, length: number): void {
  const bytes = new Uint8Array(source.buffer, source.byteOffset + from, length);
  new Uint8Array(target.buffer, target.byteOffset + to, length).set(bytes);
}
