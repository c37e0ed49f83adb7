/**
 * Foreign Arrow bytes → Parquet, in a thread that may be ended at any time. The reader is WebAssembly: whatever the bytes
 * hold, they reach nothing but its own bounded memory. The schema is also read in JavaScript, for types that Parquet keeps otherwise.
 */
import { setFlagsFromString } from 'node:v8';
import { parentPort } from 'node:worker_threads';
import { type DataType, DateUnit, RecordBatchReader, type Schema, TimeUnit, Type } from 'apache-arrow';

/** How a column of the Parquet file becomes what the client sent. */
export type Reading = 'same' | 'seconds' | 'time of seconds' | 'date of milliseconds';

export interface IpcColumn {
  readonly name: string;
  readonly reading: Reading;
}

export type IpcReply =
  | { readonly kind: 'parquet'; readonly bytes: Uint8Array; readonly rows: number; readonly columns: readonly IpcColumn[] }
  /** A column whose type can not be stored. */
  | { readonly kind: 'type'; readonly column: string; readonly type: string }
  | { readonly kind: 'fault'; readonly text: string };

/** In pages of 64 KiB. */
const WASM_PAGES = 8192;

setFlagsFromString(`--wasm-max-mem-pages=${WASM_PAGES}`);
const { Compression, Table, WriterPropertiesBuilder, writeParquet } = await import('parquet-wasm');

parentPort?.on('message', (stream: Uint8Array) => {
  parentPort?.postMessage(answer(stream));
});

function answer(stream: Uint8Array): IpcReply {
  try {
    const { fields }: Schema = RecordBatchReader.from(stream).open().schema;
    for (const { name, type } of fields) if (!isStorable(type, true)) return { kind: 'type', column: name, type: String(type) };
    const columns = fields.map(({ name, type }) => ({ name, reading: readingOf(type) }));
    const table = Table.fromIPCStream(stream);
    const rows = table.recordBatches().reduce((sum, batch) => sum + batch.numRows, 0);
    const properties = new WriterPropertiesBuilder().setCompression(Compression.UNCOMPRESSED).build();
    return { kind: 'parquet', bytes: writeParquet(table, properties), rows, columns };
  } catch (error) {
    return { kind: 'fault', text: String(error) };
  }
}

/** Below the top level nothing can be read differently from how Parquet has it. */
function isStorable(type: DataType, top: boolean): boolean {
  if (readingOf(type) !== 'same' && !top) return false;
  switch (type.typeId) {
    case Type.Decimal:
      return (type as DataType & { readonly bitWidth: number }).bitWidth === 128;
    case Type.Dictionary:
      return isStorable((type as DataType & { readonly dictionary: DataType }).dictionary, false);
    case Type.List:
    case Type.Struct:
    case Type.FixedSizeList:
    case Type.Map:
      return type.children.every((child) => isStorable(child.type, false));
    case Type.Duration:
    case Type.Interval:
    case Type.Union:
      return false;
    default:
      return true;
  }
}

function readingOf(type: DataType): Reading {
  const { unit } = type as DataType & { readonly unit?: number };
  if (type.typeId === Type.Timestamp && unit === TimeUnit.SECOND) return 'seconds';
  if (type.typeId === Type.Time && unit === TimeUnit.SECOND) return 'time of seconds';
  return type.typeId === Type.Date && unit === DateUnit.MILLISECOND ? 'date of milliseconds' : 'same';
}
