import { Field, Int32, RecordBatchReader, Schema, Table, tableFromIPC, tableToIPC, Utf8, vectorFromArray } from 'apache-arrow';
import { expect, test } from 'vitest';
import { encapsulatedSchema, schemaMessage, splitIpcStream } from '#src/wire/index.js';

const metadata = new Map([['ARROW:FLIGHT:SQL:TYPE_NAME', 'INTEGER']]);
const schema = new Schema([new Field('id', new Int32(), false, metadata), new Field('name', new Utf8(), true)]);
const table = new Table({ id: vectorFromArray([1, 2, 3], new Int32()), name: vectorFromArray(['a', null, 'c'], new Utf8()) });
const fault = expect.objectContaining({ code: 'server.internal', message: 'internal error' });

test('an encapsulated schema is marker, length and message, and keeps nullability and metadata', () => {
  const bytes = encapsulatedSchema(schema);
  expect([...bytes.subarray(0, 4)]).toEqual([255, 255, 255, 255]);
  expect(new DataView(bytes.buffer, bytes.byteOffset).getInt32(4, true)).toBe(bytes.length - 8);
  expect(schemaMessage(schema)).toEqual(bytes.subarray(8));
  const read = RecordBatchReader.from(bytes).open().schema;
  expect(read.fields.map((field) => [field.name, String(field.type), field.nullable])).toEqual([
    ['id', 'Int32', false],
    ['name', 'Utf8', true],
  ]);
  expect(read.fields[0]?.metadata).toEqual(metadata);
});

test('the empty schema works too', () => {
  expect(RecordBatchReader.from(encapsulatedSchema(new Schema([]))).open().schema.fields).toEqual([]);
});

test('a stream splits into its messages', () => {
  const ipc = tableToIPC(table, 'stream');
  const { schemaHeader, batches } = splitIpcStream(ipc);
  expect(batches.map((batch) => batch.rows)).toEqual([3]);
  const prefix = (header: Uint8Array) => Buffer.from(Uint8Array.from([255, 255, 255, 255, header.length & 255, header.length >> 8, 0, 0]));
  const parts = batches.flatMap((batch) => [prefix(batch.header), batch.header, batch.body]);
  const joined = Buffer.concat([prefix(schemaHeader), schemaHeader, ...parts]);
  expect(tableFromIPC(joined).toArray().map(String)).toEqual(table.toArray().map(String));
});

test('streams that are cut or no streams at all are our own fault', () => {
  const ipc = tableToIPC(table, 'stream');
  expect(() => splitIpcStream(new Uint8Array(0))).toThrow(fault);
  expect(() => splitIpcStream(Buffer.from('not a stream at all'))).toThrow(fault);
  expect(() => splitIpcStream(ipc.subarray(0, ipc.length - 20))).toThrow(fault);
});
