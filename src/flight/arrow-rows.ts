/** Rows of metadata results → Arrow IPC messages, in batches well below every client's message limit. */
import { type Data, makeData, RecordBatch, RecordBatchStreamWriter, type Schema, Struct, vectorFromArray } from 'apache-arrow';
import type { BatchSource } from '../model.ts';
import { type IpcMessages, schemaMessage, splitIpcStream } from '../wire/index.ts';

export type Cell = string | number | boolean | Uint8Array | readonly string[] | null;

const BATCH_BYTES = 1024 * 1024;
const FIXED_CELL_BYTES = 8;

/** One cell per field of the schema. No rows give the schema alone. */
export function rowsToIpc(schema: Schema, rows: readonly (readonly Cell[])[]): IpcMessages {
  const batches = chunk(rows).map((part) => recordBatch(schema, part.length, columnsOf(schema, part)));
  return batchesToIpc(schema, batches);
}

export function batchesToIpc(schema: Schema, batches: readonly RecordBatch[]): IpcMessages {
  if (batches.length === 0) return { schemaHeader: schemaMessage(schema), batches: [] };
  return splitIpcStream(RecordBatchStreamWriter.writeAll([...batches]).toUint8Array(true));
}

export function recordBatch(schema: Schema, length: number, children: readonly Data[]): RecordBatch {
  return new RecordBatch(schema, makeData({ type: new Struct(schema.fields), length, nullCount: 0, children: [...children] }));
}

/** A source over finished messages. */
export function sourceOf(messages: IpcMessages): BatchSource {
  const rest = messages.batches.values();
  return {
    schemaHeader: messages.schemaHeader,
    next: async () => rest.next().value ?? null,
    [Symbol.asyncDispose]: async () => {},
  };
}

function columnsOf(schema: Schema, rows: readonly (readonly Cell[])[]): Data[] {
  return schema.fields.map((field, index) => {
    const cells = rows.map((row) => row[index] ?? null);
    const [data] = vectorFromArray(cells, field.type).data;
    return data ?? makeData({ type: field.type });
  });
}

function chunk(rows: readonly (readonly Cell[])[]): (readonly Cell[])[][] {
  const parts: (readonly Cell[])[][] = [];
  let room = 0;
  for (const row of rows) {
    const bytes = row.reduce((sum: number, cell) => sum + cellBytes(cell), 0);
    if (room < bytes || parts.length === 0) {
      parts.push([]);
      room = BATCH_BYTES;
    }
    parts.at(-1)?.push(row);
    room -= bytes;
  }
  return parts;
}

function cellBytes(cell: Cell): number {
  if (typeof cell === 'string') return FIXED_CELL_BYTES + Buffer.byteLength(cell);
  return cell instanceof Uint8Array ? FIXED_CELL_BYTES + cell.length : FIXED_CELL_BYTES;
}
