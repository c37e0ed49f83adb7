/**
 * The only FFI: libduckdb's C API and memcpy, with typed signatures. Loaded once per thread; handles are plain
 * addresses and hold in every thread of the process. Who gets a handle from here destroys it here.
 * Addresses are JS numbers: user-space pointers have at most 52 bits.
 */
import koffi from 'koffi';
import { libraryPath } from './library.ts';

/** A native pointer; 0 is NULL. */
export type Address = number;
/** Memory that a native call reads or writes during the call. */
export type Memory = Uint8Array | BigUint64Array;

/** `duckdb_result` by value. Only its address in native memory outlives a call. */
export interface ResultValue {
  readonly a: bigint;
  readonly b: bigint;
  readonly c: bigint;
  readonly d: bigint;
  readonly e: bigint;
  readonly f: bigint;
}

const library = koffi.load(libraryPath());
const libc = koffi.load(null);
const RESULT = koffi.struct({ a: 'uint64_t', b: 'uint64_t', c: 'uint64_t', d: 'uint64_t', e: 'uint64_t', f: 'uint64_t' });
const RELEASE = koffi.proto('void', ['void *']);
const H = 'uintptr_t';
const M = 'void *';
const N = 'uint64_t';

type Type = string | typeof RESULT;
const bind = (name: string, result: Type, ...parameters: Type[]): ReturnType<typeof library.func> => library.func(name, result, parameters);

/** State-returning calls give 0 on success. */
export const api: {
  readonly open: (path: string | null, out: Memory) => number;
  readonly close: (handle: Memory) => void;
  readonly connect: (database: Address, out: Memory) => number;
  readonly disconnect: (handle: Memory) => void;
  readonly interrupt: (connection: Address) => void;
  readonly query: (connection: Address, sql: string, result: Address) => number;
  readonly prepare: (connection: Address, sql: string, out: Memory) => number;
  readonly prepareError: (statement: Address) => string | null;
  readonly destroyPrepare: (handle: Memory) => void;
  readonly parameterCount: (statement: Address) => number;
  /** NULL when there is none; the caller frees it. */
  readonly parameterName: (statement: Address, index: number) => Address;
  /** NULL when it is not known; the caller destroys it. */
  readonly parameterType: (statement: Address, index: number) => Address;
  readonly statementType: (statement: Address) => number;
  readonly bindText: (statement: Address, index: number, text: string) => number;
  readonly preparedColumnCount: (statement: Address) => number;
  readonly preparedColumnName: (statement: Address, column: number) => Address;
  readonly preparedColumnType: (statement: Address, column: number) => Address;
  readonly execute: (statement: Address, result: Address) => number;
  readonly executeStreaming: (statement: Address, result: Address) => number;
  readonly destroyResult: (result: Address) => void;
  readonly resultError: (result: Address) => string | null;
  readonly rowCount: (result: Address) => number;
  readonly columnCount: (result: Address) => number;
  readonly valueText: (result: Address, column: number, row: number) => Address;
  readonly fetchChunk: (result: ResultValue) => Address;
  readonly destroyChunk: (handle: Memory) => void;
  readonly chunkSize: (chunk: Address) => number;
  readonly setChunkSize: (chunk: Address, rows: number) => void;
  readonly chunkVector: (chunk: Address, column: number) => Address;
  readonly createChunk: (types: Memory, count: number) => Address;
  readonly referenceVector: (to: Address, from: Address) => void;
  readonly vectorData: (vector: Address) => Address;
  readonly vectorValidity: (vector: Address) => Address;
  readonly connectionArrowOptions: (connection: Address, out: Memory) => void;
  readonly destroyArrowOptions: (handle: Memory) => void;
  readonly toArrowSchema: (options: Address, types: Memory, names: Memory, count: number, out: Memory) => Address;
  readonly chunkToArrow: (options: Address, chunk: Address, out: Memory) => Address;
  readonly errorDataMessage: (error: Address) => string | null;
  readonly destroyErrorData: (handle: Memory) => void;
  readonly typeId: (type: Address) => number;
  readonly typeAlias: (type: Address) => Address;
  readonly destroyType: (handle: Memory) => void;
  readonly decimalWidth: (type: Address) => number;
  readonly decimalScale: (type: Address) => number;
  readonly decimalStorage: (type: Address) => number;
  readonly enumSize: (type: Address) => number;
  readonly enumValue: (type: Address, index: number) => Address;
  readonly listChild: (type: Address) => Address;
  readonly arrayChild: (type: Address) => Address;
  readonly arraySize: (type: Address) => number;
  readonly mapKey: (type: Address) => Address;
  readonly mapValue: (type: Address) => Address;
  readonly structCount: (type: Address) => number;
  readonly structName: (type: Address, index: number) => Address;
  readonly structChild: (type: Address, index: number) => Address;
  readonly unionCount: (type: Address) => number;
  readonly unionName: (type: Address, index: number) => Address;
  readonly unionChild: (type: Address, index: number) => Address;
  readonly malloc: (bytes: number) => Address;
  readonly free: (address: Address) => void;
} = {
  open: bind('duckdb_open', 'int', 'str', M),
  close: bind('duckdb_close', 'void', M),
  connect: bind('duckdb_connect', 'int', H, M),
  disconnect: bind('duckdb_disconnect', 'void', M),
  interrupt: bind('duckdb_interrupt', 'void', H),
  query: bind('duckdb_query', 'int', H, 'str', H),
  prepare: bind('duckdb_prepare', 'int', H, 'str', M),
  prepareError: bind('duckdb_prepare_error', 'str', H),
  destroyPrepare: bind('duckdb_destroy_prepare', 'void', M),
  parameterCount: bind('duckdb_nparams', N, H),
  parameterName: bind('duckdb_parameter_name', H, H, N),
  parameterType: bind('duckdb_param_logical_type', H, H, N),
  statementType: bind('duckdb_prepared_statement_type', 'int', H),
  bindText: bind('duckdb_bind_varchar', 'int', H, N, 'str'),
  preparedColumnCount: bind('duckdb_prepared_statement_column_count', N, H),
  preparedColumnName: bind('duckdb_prepared_statement_column_name', H, H, N),
  preparedColumnType: bind('duckdb_prepared_statement_column_logical_type', H, H, N),
  execute: bind('duckdb_execute_prepared', 'int', H, H),
  executeStreaming: bind('duckdb_execute_prepared_streaming', 'int', H, H),
  destroyResult: bind('duckdb_destroy_result', 'void', H),
  resultError: bind('duckdb_result_error', 'str', H),
  rowCount: bind('duckdb_row_count', N, H),
  columnCount: bind('duckdb_column_count', N, H),
  valueText: bind('duckdb_value_varchar', H, H, N, N),
  fetchChunk: bind('duckdb_fetch_chunk', H, RESULT),
  destroyChunk: bind('duckdb_destroy_data_chunk', 'void', M),
  chunkSize: bind('duckdb_data_chunk_get_size', N, H),
  setChunkSize: bind('duckdb_data_chunk_set_size', 'void', H, N),
  chunkVector: bind('duckdb_data_chunk_get_vector', H, H, N),
  createChunk: bind('duckdb_create_data_chunk', H, M, N),
  referenceVector: bind('duckdb_vector_reference_vector', 'void', H, H),
  vectorData: bind('duckdb_vector_get_data', H, H),
  vectorValidity: bind('duckdb_vector_get_validity', H, H),
  connectionArrowOptions: bind('duckdb_connection_get_arrow_options', 'void', H, M),
  destroyArrowOptions: bind('duckdb_destroy_arrow_options', 'void', M),
  toArrowSchema: bind('duckdb_to_arrow_schema', H, H, M, M, N, M),
  chunkToArrow: bind('duckdb_data_chunk_to_arrow', H, H, H, M),
  errorDataMessage: bind('duckdb_error_data_message', 'str', H),
  destroyErrorData: bind('duckdb_destroy_error_data', 'void', M),
  typeId: bind('duckdb_get_type_id', 'int', H),
  typeAlias: bind('duckdb_logical_type_get_alias', H, H),
  destroyType: bind('duckdb_destroy_logical_type', 'void', M),
  decimalWidth: bind('duckdb_decimal_width', 'uint8_t', H),
  decimalScale: bind('duckdb_decimal_scale', 'uint8_t', H),
  decimalStorage: bind('duckdb_decimal_internal_type', 'int', H),
  enumSize: bind('duckdb_enum_dictionary_size', 'uint32_t', H),
  enumValue: bind('duckdb_enum_dictionary_value', H, H, N),
  listChild: bind('duckdb_list_type_child_type', H, H),
  arrayChild: bind('duckdb_array_type_child_type', H, H),
  arraySize: bind('duckdb_array_type_array_size', N, H),
  mapKey: bind('duckdb_map_type_key_type', H, H),
  mapValue: bind('duckdb_map_type_value_type', H, H),
  structCount: bind('duckdb_struct_type_child_count', N, H),
  structName: bind('duckdb_struct_type_child_name', H, H, N),
  structChild: bind('duckdb_struct_type_child_type', H, H, N),
  unionCount: bind('duckdb_union_type_member_count', N, H),
  unionName: bind('duckdb_union_type_member_name', H, H, N),
  unionChild: bind('duckdb_union_type_member_type', H, H, N),
  malloc: bind('duckdb_malloc', H, 'size_t'),
  free: bind('duckdb_free', 'void', H),
};

/** `v` and three numbers. */
export const duckdbVersion: () => string = bind('duckdb_library_version', 'str');

/** Native memory to native memory. */
export const copyNative: (to: Address, from: Address, bytes: number) => void = libc.func('memcpy', 'void', [H, H, 'size_t']);
/** Native memory into a JS buffer. */
export const copyOut: (to: Memory, from: Address, bytes: number) => void = libc.func('memcpy', 'void', [M, H, 'size_t']);
/** A JS buffer into native memory. */
export const copyIn: (to: Address, from: Memory, bytes: number) => void = libc.func('memcpy', 'void', [H, M, 'size_t']);

function bindIfThere(name: string, result: string, ...parameters: string[]): ReturnType<typeof library.func> | null {
  try {
    return library.func(name, result, parameters);
  } catch {
    return null;
  }
}

/** LZ4_compress_default and ZSTD_compress of the copies inside libduckdb: C++ names, which another version may not export. */
export const bodyCompressors: {
  readonly lz4: ((source: Address, target: Address, bytes: number, room: number) => number) | null;
  readonly zstd: ((target: Address, room: number, source: Address, bytes: number, level: number) => number | bigint) | null;
} = {
  lz4: bindIfThere('_ZN10duckdb_lz420LZ4_compress_defaultEPKcPcii', 'int', H, H, 'int', 'int'),
  zstd: bindIfThere('_ZN11duckdb_zstd13ZSTD_compressEPvmPKvmi', 'size_t', H, 'size_t', H, 'size_t', 'int'),
};

/** The value of a signed 32-bit integer in native memory. */
export function readInt32(address: Address): number {
  return koffi.decode.int32(address);
}

/** A NUL-terminated string; stays the library's. */
export function readText(address: Address): string {
  return address === 0 ? '' : koffi.decode.string(address);
}

/** A NUL-terminated string the caller owns: read, then freed. */
export function takeText(address: Address): string {
  if (address === 0) return '';
  try {
    return koffi.decode.string(address);
  } finally {
    api.free(address);
  }
}

/** Calls the `release` member of a C data interface struct (ArrowArray or ArrowSchema). */
export function releaseStruct(release: Address, struct: Memory): void {
  if (release !== 0) koffi.call(release, RELEASE, struct);
}

/** Where a buffer lies; holds while the buffer lives. */
export function addressOf(memory: Memory | Buffer): Address {
  return Number(koffi.address(memory));
}

const RESULT_BYTES = 48;

/** Zeroed `duckdb_result` in native memory; give it back with freeResult. */
export function newResult(): Address {
  const address = api.malloc(RESULT_BYTES);
  copyIn(address, new Uint8Array(RESULT_BYTES), RESULT_BYTES);
  return address;
}

/** Destroys what the result holds, then the struct. */
export function freeResult(result: Address): void {
  api.destroyResult(result);
  api.free(result);
}

/** The struct's value, to be passed to fetchChunk. */
export function resultValue(result: Address): ResultValue {
  const words = new BigUint64Array(6);
  copyOut(words, result, RESULT_BYTES);
  const [a = 0n, b = 0n, c = 0n, d = 0n, e = 0n, f = 0n] = words;
  return { a, b, c, d, e, f };
}

const handleCell = new BigUint64Array(1);

/** Runs a `(handle*)` destructor and tolerates NULL. */
export function destroy(destructor: (handle: Memory) => void, handle: Address): void {
  if (handle === 0) return;
  handleCell[0] = BigInt(handle);
  destructor(handleCell);
}

/** Runs a `(…, handle*)` constructor; returns [state, handle]. */
export function create(make: (out: Memory) => number): readonly [number, Address] {
  const out = new BigUint64Array(1);
  const state = make(out);
  return [state, Number(out[0] ?? 0n)];
}

/** Takes a `duckdb_error_data`; returns its text, or null for none. */
export function takeErrorData(error: Address): string | null {
  if (error === 0) return null;
  const message = api.errorDataMessage(error) ?? 'unknown error';
  destroy(api.destroyErrorData, error);
  return message;
}
