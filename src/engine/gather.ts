/**
 * Gathers one column of several chunks into one Arrow column: buffers are copied one after the other, offsets rebased,
 * bitmaps shifted. Values under a NULL become zero: what DuckDB left there may be what a mask hides.
 */
import type { BatchWriter } from './batch-writer.ts';
import { copyBits, countOnes, forEachZero, setBit, setBits } from './bitmap.ts';
import { type ColumnType, isView, type Layout } from './column-type.ts';
import { checkDecimalBounds, widenIntegers } from './decimal.ts';
import { type Address, copyNative, copyOut } from './duckdb-c.ts';
import { childOf, dataRange, type Piece, slice } from './piece.ts';
import { heapBytes, stringBytes, writeStrings, writeViews } from './strings.ts';
import { TextColumn } from './text-column.ts';
import { expandBits, expandEnum } from './text-forms.ts';

export function gather(writer: BatchWriter, type: ColumnType, pieces: readonly Piece[]): void {
  const rows = pieces.reduce((sum, piece) => sum + piece.rows, 0);
  if (type.layout === 'null') writer.node(rows, rows);
  else if (type.layout === 'union') gatherUnion(writer, type, pieces, rows);
  else gatherValues(writer, type, type.layout, pieces, rows);
}

function gatherValues(
  writer: BatchWriter,
  type: ColumnType,
  layout: Exclude<Layout, 'null' | 'union'>,
  pieces: readonly Piece[],
  rows: number,
): void {
  const valid = gatherValidity(writer, pieces, rows);
  switch (layout) {
    case 'bool':
      gatherBool(writer, pieces, rows, valid);
      break;
    case 'fixed':
      gatherFixed(writer, type, pieces, rows, valid);
      break;
    case 'text':
    case 'binary':
      gatherText(writer, type, pieces, rows);
      break;
    case 'bits':
      expandBits(writer, type, pieces, rows);
      break;
    case 'enum':
      expandEnum(writer, type, pieces, rows, valid);
      break;
    case 'list':
    case 'map':
      gatherList(writer, type, pieces, rows);
      break;
    case 'array':
      gatherChildren(writer, type, pieces, type.width);
      break;
    case 'struct':
      gatherChildren(writer, type, pieces, 1);
  }
}

/** The column's bitmap in the batch; null = no NULLs. Writes the field node. */
function gatherValidity(writer: BatchWriter, pieces: readonly Piece[], rows: number): Uint8Array | null {
  if (pieces.every((piece) => piece.validity === 0)) {
    writer.node(rows, 0);
    writer.empty();
    return null;
  }
  const length = Math.ceil(rows / 8);
  const start = writer.reserve(length);
  const bits = writer.bytes.subarray(start, start + length);
  gatherBits(bits, pieces, (piece) => piece.validity);
  const nulls = rows - countOnes(bits);
  writer.node(rows, nulls);
  if (nulls > 0) return bits;
  writer.drop(start);
  return null;
}

/** Concatenates bitmaps; a missing one is all ones. */
function gatherBits(target: Uint8Array, pieces: readonly Piece[], bitmapOf: (piece: Piece) => number): void {
  target.fill(0);
  let row = 0;
  for (const piece of pieces) {
    const address = bitmapOf(piece);
    if (address === 0) setBits(target, row, piece.rows);
    else {
      const firstByte = piece.from >> 3;
      const source = new Uint8Array(((piece.from + piece.rows + 7) >> 3) - firstByte);
      copyOut(source, address + firstByte, source.length);
      copyBits(target, row, source, piece.from & 7, piece.rows);
    }
    row += piece.rows;
  }
}

function gatherBool(writer: BatchWriter, pieces: readonly Piece[], rows: number, valid: Uint8Array | null): void {
  const length = Math.ceil(rows / 8);
  const start = writer.reserve(length);
  const bits = writer.bytes.subarray(start, start + length);
  if (pieces.some((piece) => piece.isVector)) packBooleans(bits, pieces);
  else gatherBits(bits, pieces, (piece) => piece.values);
  if (valid !== null) for (let index = 0; index < length; index++) bits[index] = (bits[index] ?? 0) & (valid[index] ?? 0);
}

/** DuckDB keeps a byte per boolean. */
function packBooleans(bits: Uint8Array, pieces: readonly Piece[]): void {
  bits.fill(0);
  let row = 0;
  for (const piece of pieces) {
    const bytes = new Uint8Array(piece.rows);
    copyOut(bytes, piece.values + piece.from, piece.rows);
    for (let index = 0; index < bytes.length; index++) if (bytes[index] !== 0) setBit(bits, row + index);
    row += piece.rows;
  }
}

function gatherFixed(writer: BatchWriter, type: ColumnType, pieces: readonly Piece[], rows: number, valid: Uint8Array | null): void {
  const { width } = type;
  const start = writer.reserve(width * rows);
  const isVector = pieces.some((piece) => piece.isVector);
  const sourceWidth = isVector ? (type.direct?.width ?? width) : width;
  // Narrow integers go to the end of the buffer, so that widening can run in place from the front.
  copyValues(writer, start + (width - sourceWidth) * rows, pieces, sourceWidth);
  if (isVector && type.direct?.kind === 'widen') widenIntegers(writer, start, rows, sourceWidth);
  if (valid !== null) forEachZero(valid, rows, (row) => writer.bytes.fill(0, start + width * row, start + width * (row + 1)));
  if (type.bounds !== null) checkDecimalBounds(writer, start, rows, type.bounds);
}

function copyValues(writer: BatchWriter, start: number, pieces: readonly Piece[], width: number): void {
  let target = writer.addressAt(start);
  for (const piece of pieces) {
    copyNative(target, piece.values + width * piece.from, width * piece.rows);
    target += width * piece.rows;
  }
}

function gatherText(writer: BatchWriter, type: ColumnType, pieces: readonly Piece[], rows: number): void {
  if (pieces.every((piece) => piece.strings === null)) gatherConvertedText(writer, type, pieces, rows);
  else if (isView(type)) gatherViews(writer, pieces, rows);
  else gatherStrings(writer, pieces, rows);
}

function gatherViews(writer: BatchWriter, pieces: readonly Piece[], rows: number): void {
  const words = writer.int32(writer.reserve(16 * rows), 4 * rows);
  let total = 0;
  for (const { strings, from, rows: count } of pieces) total += strings === null ? 0 : heapBytes(strings, from, from + count);
  const target = { words, bytes: writer.bytes.subarray(writer.reserveVariadic(total)), row: 0, end: 0 };
  for (const { strings, from, rows: count } of pieces) if (strings !== null) writeViews(target, strings, from, from + count);
}

function gatherStrings(writer: BatchWriter, pieces: readonly Piece[], rows: number): void {
  const offsets = writer.int32(writer.reserve(4 * (rows + 1)), rows + 1);
  offsets[0] = 0;
  let total = 0;
  for (const { strings, from, rows: count } of pieces) total += strings === null ? 0 : stringBytes(strings, from, from + count);
  const start = writer.reserve(total);
  const target = { offsets, bytes: new DataView(writer.memory, start), row: 0, end: 0 };
  for (const { strings, from, rows: count } of pieces) if (strings !== null) writeStrings(target, strings, from, from + count);
  writer.clearPadding(start, total);
}

function gatherConvertedText(writer: BatchWriter, type: ColumnType, pieces: readonly Piece[], rows: number): void {
  const column = new TextColumn(writer, type, rows);
  const ranges = gatherOffsets(column.offsets, column.offsetsAddress, pieces);
  const total = ranges.reduce((sum, range) => sum + range.length, 0);
  let target = writer.addressAt(column.reserveBytes(total));
  ranges.forEach(({ start, length }, index) => {
    if (length > 0) copyNative(target, (pieces[index]?.data ?? 0) + start, length);
    target += length;
  });
  column.close();
}

function gatherList(writer: BatchWriter, type: ColumnType, pieces: readonly Piece[], rows: number): void {
  const start = writer.reserve(4 * (rows + 1));
  const ranges = gatherOffsets(writer.int32(start, rows + 1), writer.addressAt(start), pieces);
  type.children.forEach((child, index) => {
    const parts = pieces.map((piece, at) => slice(childOf(piece, index), ranges[at]?.start ?? 0, ranges[at]?.length ?? 0));
    gather(writer, child, parts);
  });
}

/** Writes the offsets so that they count on from piece to piece; returns what each piece covers. */
function gatherOffsets(
  offsets: Int32Array,
  address: Address,
  pieces: readonly Piece[],
): { readonly start: number; readonly length: number }[] {
  offsets[0] = 0;
  let row = 0;
  let end = 0;
  return pieces.map((piece) => {
    if (piece.rows === 0) return { start: 0, length: 0 };
    const range = dataRange(piece, 0, piece.rows);
    copyNative(address + 4 * row, piece.values + 4 * piece.from, 4 * (piece.rows + 1));
    rebase(offsets, row, row + piece.rows, end - range.start);
    row += piece.rows;
    end += range.length;
    return range;
  });
}

function rebase(offsets: Int32Array, first: number, last: number, delta: number): void {
  if (delta === 0) return;
  for (let index = first; index <= last; index++) offsets[index] = (offsets[index] ?? 0) + delta;
}

/** Children of a struct, or of a fixed-size array with `perRow` values a row. */
function gatherChildren(writer: BatchWriter, type: ColumnType, pieces: readonly Piece[], perRow: number): void {
  type.children.forEach((child, index) => {
    const parts = pieces.map((piece) => slice(childOf(piece, index), piece.from * perRow, piece.rows * perRow));
    gather(writer, child, parts);
  });
}

function gatherUnion(writer: BatchWriter, type: ColumnType, pieces: readonly Piece[], rows: number): void {
  writer.node(rows, 0);
  copyValues(writer, writer.reserve(rows), pieces, 1);
  gatherChildren(writer, type, pieces, 1);
}
