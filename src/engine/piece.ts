/**
 * One column of one chunk: where its values lie in native memory, and how many bytes a range of its rows takes in a batch.
 * Comes from DuckDB's vector or from an array of the Arrow C data interface.
 */
import { PADDING } from './batch-writer.ts';
import { type ColumnType, type DirectCopy, isView } from './column-type.ts';
import { type Address, api, copyOut, readInt32 } from './duckdb-c.ts';
import type { Scratch } from './scratch.ts';
import { loadStrings, type Strings, stringBytes } from './strings.ts';

export interface Piece {
  readonly from: number;
  readonly rows: number;
  /** Bitmap; 0 = every row is valid. */
  readonly validity: Address;
  /** Fixed-width values, offsets, enum indices or union tags. */
  readonly values: Address;
  /** Bytes of text and binary values. */
  readonly data: Address;
  readonly children: readonly Piece[];
  readonly dictionary: Dictionary | null;
  /** Values have the vector's layout. */
  readonly isVector: boolean;
  /** Of a text vector. */
  readonly strings: Strings | null;
}

/** An enum's texts. */
export interface Dictionary {
  readonly offsets: Int32Array;
  readonly bytes: Uint8Array;
  /** Bytes of the longest text. */
  readonly longest: number;
}

/** The same column, rows `from`… of this piece. */
export function slice(piece: Piece, from: number, rows: number): Piece {
  return { ...piece, from: piece.from + from, rows };
}

export function vectorPiece(vector: Address, kind: DirectCopy['kind'], rows: number, scratch: Scratch): Piece {
  const values = api.vectorData(vector);
  const validity = api.vectorValidity(vector);
  const strings = kind === 'strings' ? loadStrings(scratch, values, validity, rows) : null;
  return { from: 0, rows, validity, values, data: 0, children: [], dictionary: null, isVector: true, strings };
}

const ARRAY_WORDS = 10;

/** The columns of a converted chunk; `root` is the ArrowArray struct. */
export function readArrays(types: readonly ColumnType[], root: BigUint64Array): Piece[] {
  const children = readAddresses(Number(root[6]), types.length);
  return types.map((type, index) => readArray(type, children[index] ?? 0));
}

function readArray(type: ColumnType, address: Address): Piece {
  const [rows = 0, nulls = 0, from = 0, bufferCount = 0, , buffers = 0, childList = 0, dictionary = 0] = readAddresses(
    address,
    ARRAY_WORDS,
  );
  const [first = 0, second = 0, third = 0] = bufferCount === 0 ? [] : readAddresses(buffers, Math.min(bufferCount, 3));
  const isUnion = type.layout === 'union';
  const children = type.children.length === 0 ? [] : readAddresses(childList, type.children.length);
  return {
    from,
    rows,
    validity: isUnion || nulls === 0 ? 0 : first,
    values: isUnion ? first : second,
    data: third,
    children: type.children.map((child, index) => readArray(child, children[index] ?? 0)),
    dictionary: type.layout === 'enum' ? readDictionary(dictionary) : null,
    isVector: false,
    strings: null,
  };
}

function readDictionary(address: Address): Dictionary {
  const [count = 0, , , , , buffers = 0] = readAddresses(address, ARRAY_WORDS);
  const [, offsetBuffer = 0, data = 0] = readAddresses(buffers, 3);
  const offsets = new Int32Array(count + 1);
  copyOut(new Uint8Array(offsets.buffer), offsetBuffer, 4 * (count + 1));
  const bytes = new Uint8Array(offsets[count] ?? 0);
  if (bytes.length > 0) copyOut(bytes, data, bytes.length);
  let longest = 0;
  for (let index = 0; index < count; index++) longest = Math.max(longest, (offsets[index + 1] ?? 0) - (offsets[index] ?? 0));
  return { offsets, bytes, longest };
}

/** Upper bound of the bytes that `rows` rows from `from` take in a batch, padding included. */
export function measure(type: ColumnType, piece: Piece, from: number, rows: number): number {
  const bitmap = Math.ceil(rows / 8) + PADDING;
  const places = isView(type) ? 16 * rows : 4 * (rows + 1);
  switch (type.layout) {
    case 'null':
      return 0;
    case 'bool':
      return 2 * bitmap;
    case 'fixed':
      return bitmap + rows * type.width + PADDING;
    case 'text':
    case 'binary':
      return bitmap + places + textBytes(piece, from, rows) + 2 * PADDING;
    case 'bits':
      return bitmap + places + 8 * dataRange(piece, from, rows).length + 2 * PADDING;
    case 'enum':
      return bitmap + places + rows * (piece.dictionary?.longest ?? 0) + 2 * PADDING;
    case 'list':
    case 'map': {
      const { start, length } = dataRange(piece, from, rows);
      return bitmap + 4 * (rows + 1) + PADDING + measureChildren(type, piece, start, length);
    }
    case 'array':
      return bitmap + measureChildren(type, piece, (piece.from + from) * type.width, rows * type.width);
    case 'struct':
      return bitmap + measureChildren(type, piece, piece.from + from, rows);
    case 'union':
      return rows + PADDING + measureChildren(type, piece, piece.from + from, rows);
  }
}

function measureChildren(type: ColumnType, piece: Piece, from: number, rows: number): number {
  return type.children.reduce((bytes, child, index) => bytes + measure(child, childOf(piece, index), from, rows), 0);
}

export function childOf(piece: Piece, index: number): Piece {
  const child = piece.children[index];
  if (child === undefined) throw new Error('array without its child');
  return child;
}

function textBytes(piece: Piece, from: number, rows: number): number {
  if (piece.strings === null) return dataRange(piece, from, rows).length;
  return stringBytes(piece.strings, piece.from + from, piece.from + from + rows);
}

/** The range of `data`, or of the child's rows, that these rows cover. */
export function dataRange(piece: Piece, from: number, rows: number): { readonly start: number; readonly length: number } {
  if (rows === 0) return { start: 0, length: 0 };
  const offsets = piece.values + 4 * (piece.from + from);
  const start = readInt32(offsets);
  return { start, length: readInt32(offsets + 4 * rows) - start };
}

function readAddresses(address: Address, count: number): number[] {
  const words = new BigUint64Array(count);
  copyOut(words, address, 8 * count);
  return Array.from(words, Number);
}
