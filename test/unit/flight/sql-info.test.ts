import { Message } from 'apache-arrow';
import { expect, test } from 'vitest';
import { sqlInfo, sqlInfoValues } from '#src/flight/sql-info.js';
import type { IpcMessages } from '#src/wire/index.js';
import { tableOf } from './fakes.ts';

const values = sqlInfoValues({ version: '1.2.3', preparedTtlMs: 8 * 3600_000, statementBytesMax: 65_536 });
const rows = (messages: IpcMessages): [number, unknown][] =>
  tableOf(messages)
    .toArray()
    .map((row) => [row.info_name, row.value]);
const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => from + index);

test('all standard codes are there once, and no other', () => {
  expect([...values.keys()].sort((a, b) => a - b)).toEqual([...range(0, 11), 100, 101, ...range(500, 576)]);
});

/** What the Java driver casts to; the proto text says otherwise for 503, 505, 507 and 562. */
test.each([
  ['text', [0, 1, 2, 6, 7, 504, 513, 514, 529, 530, 531]],
  [
    'bool',
    [
      3, 4, 5, 9, 10, 11, 500, 501, 502, 506, 515, 516, 518, 519, 520, 521, 523, 524, 527, 532, 536, 537, 539, 556, 563, 565, 566, 572, 573,
      574, 575, 576,
    ],
  ],
  ['bigint', [503, 505, 507, ...range(541, 555), 557, 558, 559, 560, 561, 562]],
  ['bitmask', [8, 100, 101, 522, 525, 526, 528, 533, 534, 535, 538, 540, 564, 567, 568, 569, 570, 571]],
  ['list', [508, 509, 510, 511, 512]],
  ['map', [517]],
])('codes with a %s', (child, codes) => {
  expect(
    [...values]
      .filter(([, info]) => info.child === child)
      .map(([code]) => code)
      .sort((a, b) => a - b),
  ).toEqual(codes);
});

test('an empty list asks for all, a list for its codes in order; unknown ones are left out', () => {
  expect(rows(sqlInfo(values, []))).toHaveLength(91);
  expect(rows(sqlInfo(values, [504, 1, 3, 1, 99_999, 507]))).toEqual([
    [1, '1.2.3'],
    [3, false],
    [504, '"'],
    [507, 3n],
  ]);
  expect(rows(sqlInfo(values, [99_999]))).toEqual([]);
});

test('what the server says of itself is so', () => {
  const said = Object.fromEntries(rows(sqlInfo(values, [3, 5, 8, 9, 10, 11, 100, 101, 502, 506, 557, 563])));
  expect(said).toEqual({
    3: false, // scratch tables are written
    5: false,
    8: 0, // any other value would make clients begin transactions
    9: true,
    10: true,
    11: false,
    100: 28_800_000,
    101: 0,
    502: true,
    506: true,
    557: 65_536n,
    563: false,
  });
  const forever = sqlInfoValues({ version: '1', preparedTtlMs: 1e12, statementBytesMax: 0 });
  expect(rows(sqlInfo(forever, [100]))).toEqual([[100, 2 ** 31 - 1]]);
});

test('every node of the union down to the leaves is in the message: other readers refuse it otherwise', () => {
  // apache-arrow reads back what it wrote; the C++ and Go readers count the nodes.
  expect(nodeCount(sqlInfo(values, [0]))).toBe(13);
  expect(nodeCount(sqlInfo(values, [517]))).toBe(13);
  expect(nodeCount(sqlInfo(values, []))).toBe(13);
});

function nodeCount(messages: IpcMessages): number {
  const [batch] = messages.batches;
  if (batch === undefined) throw new Error('no batch');
  return headerOf(batch.header).nodes.length;
}

function headerOf(header: Uint8Array) {
  const message = Message.decode(header);
  if (!message.isRecordBatch()) throw new Error('no record batch');
  return message.header();
}
