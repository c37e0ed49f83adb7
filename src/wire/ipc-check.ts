/**
 * Checks an Arrow IPC Message flatbuffer of a client before any reader follows its offsets: readers take lengths and positions
 * on trust, and a length of two thousand million in a header of a hundred bytes would keep them busy or fill the memory.
 * Layouts: Message.fbs and Schema.fbs of the Arrow format. Faults fail with request.malformed.
 */
import { fail } from '../errors.ts';

/** Tables met in one message; also bounds what shared offsets can multiply to. */
const TABLES_MAX = 20_000;
const DEPTH_MAX = 32;
const HEADER_BYTES_MAX = 4 * 1024 ** 2;
/** Size of a FieldNode and of a Buffer. */
const STRUCT_BYTES = 16;
const PADDING_MAX = 7;

const SCHEMA = 1;
const DICTIONARY_BATCH = 2;
const RECORD_BATCH = 3;

/** Types with a list or a text among their own fields. */
const TIMESTAMP = 10;
const UNION = 14;

/** The body's length as the header has it: `bodyBytes`, or a little more where the sender left out the padding. */
export function checkMessage(header: Uint8Array, bodyBytes: number): number {
  if (header.length > HEADER_BYTES_MAX) malformed();
  const flat = new Flat(header);
  const message = flat.root();
  const promised = flat.int64(message, 3);
  if (promised < bodyBytes || promised > bodyBytes + PADDING_MAX) malformed();
  const content = flat.table(message, 2) ?? malformed();
  flat.tables(message, 4, checkKeyValue);
  switch (flat.uint8(message, 1)) {
    case SCHEMA:
      checkSchema(flat, content);
      break;
    case DICTIONARY_BATCH:
      checkBatch(flat, flat.table(content, 1) ?? malformed(), promised);
      break;
    case RECORD_BATCH:
      checkBatch(flat, content, promised);
      break;
    default:
      malformed();
  }
  return promised;
}

function checkSchema(flat: Flat, schema: number): void {
  flat.tables(schema, 1, (field) => checkField(flat, field, 0));
  flat.tables(schema, 2, checkKeyValue);
  flat.vector(schema, 3, 8);
}

function checkField(flat: Flat, field: number, depth: number): void {
  if (depth > DEPTH_MAX) malformed();
  flat.text(field, 0);
  const type = flat.table(field, 3) ?? malformed();
  // Of a union: the ids of its children. Other types have scalars there, or a time zone.
  const kind = flat.uint8(field, 2);
  if (kind === UNION) flat.vector(type, 1, 4);
  if (kind === TIMESTAMP) flat.text(type, 1);
  const dictionary = flat.table(field, 4);
  if (dictionary !== undefined) flat.table(dictionary, 1);
  flat.tables(field, 5, (child) => checkField(flat, child, depth + 1));
  flat.tables(field, 6, checkKeyValue);
}

/** No column is longer than bits in the body, or than the batch where it has no buffers at all. */
function checkBatch(flat: Flat, batch: number, bodyBytes: number): void {
  const rows = flat.int64(batch, 0);
  if (rows < 0 || rows > 2 ** 31 - 1) malformed();
  const longest = Math.max(rows, 8 * bodyBytes);
  for (const node of flat.vector(batch, 1, STRUCT_BYTES)) {
    const length = flat.int64At(node);
    const nulls = flat.int64At(node + 8);
    if (length < 0 || length > longest || nulls < 0 || nulls > length) malformed();
  }
  for (const buffer of flat.vector(batch, 2, STRUCT_BYTES)) {
    const offset = flat.int64At(buffer);
    const length = flat.int64At(buffer + 8);
    if (offset < 0 || length < 0 || offset + length > bodyBytes) malformed();
  }
  flat.table(batch, 3);
  flat.vector(batch, 4, 8);
}

function checkKeyValue(pair: number, flat: Flat): void {
  flat.text(pair, 0);
  flat.text(pair, 1);
}

/** Bounds-checked reading; positions are absolute, slots count the fields of a table from 0. */
class Flat {
  readonly #view: DataView;
  #tables = 0;

  constructor(bytes: Uint8Array) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  root(): number {
    return this.#enter(this.#uint32(0));
  }

  uint8(table: number, slot: number): number {
    const at = this.#field(table, slot, 1);
    return at === undefined ? 0 : this.#view.getUint8(at);
  }

  int64(table: number, slot: number): number {
    const at = this.#field(table, slot, 8);
    return at === undefined ? 0 : this.int64At(at);
  }

  int64At(at: number): number {
    this.#within(at, 8);
    return Number(this.#view.getBigInt64(at, true));
  }

  table(table: number, slot: number): number | undefined {
    const at = this.#field(table, slot, 4);
    return at === undefined ? undefined : this.#enter(at + this.#uint32(at));
  }

  tables(table: number, slot: number, check: (table: number, flat: Flat) => void): void {
    for (const at of this.vector(table, slot, 4)) check(this.#enter(at + this.#uint32(at)), this);
  }

  text(table: number, slot: number): void {
    this.vector(table, slot, 1);
  }

  /** Positions of the elements. */
  vector(table: number, slot: number, elementBytes: number): Iterable<number> {
    const at = this.#field(table, slot, 4);
    if (at === undefined) return [];
    const start = at + this.#uint32(at);
    const length = this.#uint32(start);
    this.#within(start + 4, length * elementBytes);
    return positions(start + 4, length, elementBytes);
  }

  /** A table whose list of fields lies inside. */
  #enter(table: number): number {
    if (++this.#tables > TABLES_MAX) malformed();
    this.#within(table, 4);
    const list = table - this.#view.getInt32(table, true);
    this.#within(list, 4);
    this.#within(list, this.#view.getUint16(list, true));
    this.#within(table, this.#view.getUint16(list + 2, true));
    return table;
  }

  /** Where a field lies; undefined when it was left out. */
  #field(table: number, slot: number, bytes: number): number | undefined {
    const list = table - this.#view.getInt32(table, true);
    const entry = 4 + 2 * slot;
    if (entry + 2 > this.#view.getUint16(list, true)) return undefined;
    const offset = this.#view.getUint16(list + entry, true);
    if (offset === 0) return undefined;
    this.#within(table + offset, bytes);
    return table + offset;
  }

  #uint32(at: number): number {
    this.#within(at, 4);
    return this.#view.getUint32(at, true);
  }

  #within(at: number, bytes: number): void {
    if (at < 0 || at + bytes > this.#view.byteLength) malformed();
  }
}

function* positions(start: number, length: number, elementBytes: number): Iterable<number> {
  for (let index = 0; index < length; index++) yield start + index * elementBytes;
}

function malformed(): never {
  return fail('request.malformed', 'the data is not a valid Arrow IPC message');
}
