import { Dictionary, Int32, Table, tableFromIPC, tableToIPC, Utf8, vectorFromArray } from 'apache-arrow';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { SluiceError } from '#src/errors.js';
import { chunks, kindOf } from '#src/worker/ipc-messages.js';
import { SEED } from '../../support/seed.ts';
import { wholeMessages } from './ipc-fixture.ts';

const LIMITS = { bytes: 1_000_000, batches: 1000, prefixBytes: 10_000 };
const batchOf = (from: number): Table => new Table({ n: vectorFromArray([from, from + 1], new Int32()) });

async function* stream(messages: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* messages;
}

async function read(messages: readonly Uint8Array[], limits = LIMITS): Promise<Table[]> {
  const tables: Table[] = [];
  for await (const chunk of chunks(stream(messages), limits)) tables.push(tableFromIPC(chunk));
  return tables;
}

function messagesOf(first: Table, ...more: readonly Table[]): Uint8Array[] {
  return wholeMessages(tableToIPC(first.concat(...more), 'stream'));
}

test('small batches stay together; each chunk is a whole stream', async () => {
  const messages = messagesOf(batchOf(1), batchOf(3), batchOf(5));
  expect((await read(messages)).map(({ numRows }) => numRows)).toEqual([6]);
  expect((await read(messages, { ...LIMITS, batches: 2 })).map(({ numRows }) => numRows)).toEqual([4, 2]);
  expect((await read(messages, { ...LIMITS, bytes: 1 })).map(({ numRows }) => numRows)).toEqual([2, 2, 2]);
});

test('a schema alone is one chunk without rows; what follows the end does not count', async () => {
  const [schema, batch, end] = messagesOf(batchOf(1)) as [Uint8Array, Uint8Array, Uint8Array];
  expect((await read([schema])).map(({ numRows }) => numRows)).toEqual([0]);
  expect((await read([schema, end, batch])).map(({ numRows }) => numRows)).toEqual([0]);
});

test('a dictionary goes with every later chunk', async () => {
  const words = new Table({ v: vectorFromArray(['a', 'b', 'a'], new Dictionary(new Utf8(), new Int32())) });
  const [schema, dictionary, batch] = messagesOf(words) as [Uint8Array, Uint8Array, Uint8Array];
  const tables = await read([schema, dictionary, batch, dictionary, batch], { ...LIMITS, batches: 1 });
  expect(tables.map((table) => table.toArray().map((row) => row?.['v']))).toEqual([
    ['a', 'b', 'a'],
    ['a', 'b', 'a'],
  ]);
  await expect(read([schema, ...Array(200).fill(dictionary), batch])).rejects.toMatchObject({ code: 'limit.memory' });
});

test('without one schema at the beginning the rows are refused', async () => {
  const [schema, batch] = messagesOf(batchOf(1)) as [Uint8Array, Uint8Array];
  for (const messages of [[], [batch], [schema, schema], [schema, batch, schema]])
    await expect(read(messages)).rejects.toMatchObject({ code: 'request.malformed' });
});

test('any bytes have a kind or are malformed', () => {
  const valid = messagesOf(batchOf(1))[1] ?? new Uint8Array();
  expect(kindOf(valid)).toBe('batch');
  const check = (bytes: Uint8Array): void => {
    try {
      expect(['schema', 'dictionary', 'batch', 'end']).toContain(kindOf(bytes));
    } catch (error) {
      expect(error).toBeInstanceOf(SluiceError);
    }
  };
  fc.assert(fc.property(fc.uint8Array({ maxLength: 64 }), check), { seed: SEED });
  const changed = fc.tuple(fc.nat(valid.length - 1), fc.nat(255));
  fc.assert(
    fc.property(fc.array(changed, { maxLength: 8 }), (changes) => {
      const bytes = Uint8Array.from(valid);
      for (const [at, value] of changes) bytes[at] = value;
      check(bytes);
    }),
    { seed: SEED },
  );
});
