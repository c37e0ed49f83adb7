/** Types that Arrow has no plain form for become text: bit strings and enums. */
import type { BatchWriter } from './batch-writer.ts';
import { getBit } from './bitmap.ts';
import type { ColumnType } from './column-type.ts';
import { copyOut } from './duckdb-c.ts';
import { type Dictionary, dataRange, type Piece } from './piece.ts';
import { TextColumn } from './text-column.ts';

/** DuckDB's BIT: the first byte counts the padding bits at the front of the second. */
export function expandBits(writer: BatchWriter, type: ColumnType, pieces: readonly Piece[], rows: number): void {
  const column = new TextColumn(writer, type, rows);
  const { offsets } = column;
  const texts: Uint8Array[] = [];
  let row = 0;
  let end = 0;
  for (const piece of pieces) {
    for (const value of readValues(piece)) {
      const text = bitText(value);
      texts.push(text);
      end += text.length;
      offsets[++row] = end;
    }
  }
  writeAll(writer, column, texts, end);
}

function* readValues(piece: Piece): Generator<Uint8Array> {
  if (piece.rows === 0) return;
  const { start, length } = dataRange(piece, 0, piece.rows);
  const bytes = new Uint8Array(length);
  if (length > 0) copyOut(bytes, piece.data + start, length);
  const offsets = new Int32Array(piece.rows + 1);
  copyOut(new Uint8Array(offsets.buffer), piece.values + 4 * piece.from, 4 * (piece.rows + 1));
  for (let row = 0; row < piece.rows; row++) yield bytes.subarray((offsets[row] ?? 0) - start, (offsets[row + 1] ?? 0) - start);
}

function bitText(value: Uint8Array): Uint8Array {
  const padding = value[0] ?? 0;
  const text = new Uint8Array(Math.max(0, 8 * (value.length - 1) - padding));
  for (let index = 0; index < text.length; index++) {
    const bit = padding + index;
    const byte = value[1 + (bit >> 3)] ?? 0;
    text[index] = 48 + ((byte >> (7 - (bit & 7))) & 1);
  }
  return text;
}

/** Enum indices of `type.width` bytes become their texts. */
export function expandEnum(writer: BatchWriter, type: ColumnType, pieces: readonly Piece[], rows: number, valid: Uint8Array | null): void {
  const column = new TextColumn(writer, type, rows);
  const { offsets } = column;
  const texts: Uint8Array[] = [];
  let row = 0;
  let end = 0;
  for (const piece of pieces) {
    const indices = readIndices(piece, type.width);
    for (let index = 0; index < piece.rows; index++) {
      const isValid = valid === null || getBit(valid, row);
      if (isValid && piece.dictionary !== null) {
        const text = textAt(piece.dictionary, indices[index] ?? 0);
        texts.push(text);
        end += text.length;
      }
      offsets[++row] = end;
    }
  }
  writeAll(writer, column, texts, end);
}

function readIndices(piece: Piece, width: number): Uint8Array | Uint16Array | Uint32Array {
  const bytes = new Uint8Array(width * piece.rows);
  if (bytes.length > 0) copyOut(bytes, piece.values + width * piece.from, bytes.length);
  if (width === 1) return bytes;
  return width === 2 ? new Uint16Array(bytes.buffer) : new Uint32Array(bytes.buffer);
}

function textAt(dictionary: Dictionary, index: number): Uint8Array {
  return dictionary.bytes.subarray(dictionary.offsets[index] ?? 0, dictionary.offsets[index + 1] ?? 0);
}

function writeAll(writer: BatchWriter, column: TextColumn, texts: readonly Uint8Array[], length: number): void {
  let at = column.reserveBytes(length);
  for (const text of texts) {
    writer.bytes.set(text, at);
    at += text.length;
  }
  column.close();
}
