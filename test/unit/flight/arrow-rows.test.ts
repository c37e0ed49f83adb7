import { Binary, Field, Int32, Schema, Utf8 } from 'apache-arrow';
import { expect, test } from 'vitest';
import { rowsToIpc, sourceOf } from '#src/flight/arrow-rows.js';
import { tableOf } from './fakes.ts';

const schema = new Schema([new Field('s', new Utf8(), true), new Field('n', new Int32(), false), new Field('b', new Binary(), true)]);

test('rows come back with their nulls', () => {
  const messages = rowsToIpc(schema, [
    ['a', 1, null],
    [null, 2, Buffer.from('x')],
  ]);
  expect(
    tableOf(messages)
      .toArray()
      .map((row) => row.toJSON()),
  ).toEqual([
    { s: 'a', n: 1, b: null },
    { s: null, n: 2, b: new Uint8Array([120]) },
  ]);
});

test('no rows are a schema alone', () => {
  expect(rowsToIpc(schema, []).batches).toEqual([]);
  expect(tableOf(rowsToIpc(schema, [])).schema.fields.map((field) => field.name)).toEqual(['s', 'n', 'b']);
});

test('large results are cut well below the smallest message limit of a client', () => {
  const rows = Array.from({ length: 40 }, (_, index) => ['x'.repeat(200_000), index, null] as const);
  const { batches } = rowsToIpc(schema, rows);
  expect(batches.map((batch) => batch.rows)).toEqual([5, 5, 5, 5, 5, 5, 5, 5]);
  expect(Math.max(...batches.map((batch) => batch.body.length))).toBeLessThan(2 ** 20 + 1000);
  expect(rowsToIpc(schema, [['x'.repeat(3_000_000), 1, null]]).batches).toHaveLength(1);
});

test('a source over them ends with null', async () => {
  const source = sourceOf(rowsToIpc(schema, [['a', 1, null]]));
  expect((await source.next())?.rows).toBe(1);
  expect(await source.next()).toBeNull();
  await source[Symbol.asyncDispose]();
});
