/** 128-bit values in place in a batch. */
import type { BatchWriter } from './batch-writer.ts';
import { JobError } from './jobs.ts';

/** Signed integers of `width` bytes at the end of a buffer of `rows` × 16 bytes become 128-bit ones. */
export function widenIntegers(writer: BatchWriter, start: number, rows: number, width: number): void {
  const words = writer.int32(start, 4 * rows);
  if (width === 8) widen64(words, rows);
  else widenNarrow(words, rows, width === 4 ? words.subarray(3 * rows) : new Int16Array(writer.memory, start + 14 * rows, rows));
}

function widenNarrow(words: Int32Array, rows: number, narrow: Int32Array | Int16Array): void {
  for (let row = 0; row < rows; row++) {
    const value = narrow[row] ?? 0;
    words[4 * row] = value;
    words.fill(value >> 31, 4 * row + 1, 4 * row + 4);
  }
}

function widen64(words: Int32Array, rows: number): void {
  for (let row = 0, from = 2 * rows, to = 0; row < rows; row++, from += 2, to += 4) {
    const low = words[from] as number;
    const high = words[from + 1] as number;
    const sign = high >> 31;
    words[to] = low;
    words[to + 1] = high;
    words[to + 2] = sign;
    words[to + 3] = sign;
  }
}

const LIMIT = 10n ** 38n;
/** Top 32 bits of 10^38. */
const LIMIT_TOP = Number(LIMIT >> 96n);

/** Throws when a 128-bit integer has more than 38 digits, which decimal128(38, 0) can not hold. */
export function checkDecimalBounds(writer: BatchWriter, start: number, rows: number, kind: 'hugeint' | 'uhugeint'): void {
  const words = writer.int32(start, 4 * rows);
  for (let row = 0; row < rows; row++) {
    const top = words[4 * row + 3] ?? 0;
    if (top > -LIMIT_TOP && top < LIMIT_TOP && (kind === 'hugeint' || top >= 0)) continue;
    const value = readInteger(words, row, kind);
    if (value >= LIMIT || value <= -LIMIT) throw new JobError({ kind: 'digits' });
  }
}

function readInteger(words: Int32Array, row: number, kind: 'hugeint' | 'uhugeint'): bigint {
  let value = 0n;
  for (let word = 3; word >= 0; word--) value = (value << 32n) | BigInt((words[4 * row + word] ?? 0) >>> 0);
  return kind === 'hugeint' ? BigInt.asIntN(128, value) : value;
}
