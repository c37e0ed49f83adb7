import { expect, test } from 'vitest';
import { type KnownFile, rangeArranger, rangeNames } from '#src/datasets/ranges.js';

const range = (min: string) => ({ min, max: min, hasNull: false });
const columns = (text: string) => text.split(', ').map((part) => ({ name: part.split(' ')[0] ?? '', type: part.split(' ')[1] ?? '' }));

function file(text: string, ranges: readonly (ReturnType<typeof range> | null)[] | null): KnownFile {
  const own = columns(text);
  return {
    stored: { path: '/f', bytes: 1, version: 'v' },
    columns: own,
    ranged: own.map(({ name }) => name.toLowerCase()),
    rowGroups: ranges === null ? null : [{ rows: 1, bytes: 2, ranges }],
  };
}

test('ranges go to the places of the catalog, whatever order and case the file has', () => {
  const files = [
    file('b DATE, A INTEGER', [range('2024-01-01'), range('1')]),
    file('a INTEGER, c VARCHAR', [range('2'), null]),
    file('a INTEGER', null),
  ];
  const catalog = columns('a INTEGER, b DATE, c VARCHAR');
  const names = rangeNames(files, catalog);
  expect(names).toEqual(['a', 'b']);
  const arrange = rangeArranger(names, catalog);
  expect(files.map(arrange)).toEqual([
    [{ rows: 1, bytes: 2, ranges: [range('1'), range('2024-01-01')] }],
    [{ rows: 1, bytes: 2, ranges: [range('2'), null] }],
    null,
  ]);
});

test.each([
  ['INTEGER', 'BIGINT', true],
  ['UTINYINT', 'HUGEINT', true],
  ['DATE', 'DATE', true],
  ['VARCHAR', 'VARCHAR', true],
  ['INTEGER', 'DOUBLE', false],
  ['INTEGER', 'DECIMAL(10,0)', false],
  ['DECIMAL(9,2)', 'DECIMAL(10,2)', false],
  ['DATE', 'TIMESTAMP', false],
  ['INTERVAL', 'INTEGER', false],
])('bounds of %s in a column of %s: kept %s', (inFile, inCatalog, kept) => {
  const given = file(`a ${inFile}`, [range('1')]);
  const [group] = rangeArranger(['a'], columns(`a ${inCatalog}`))(given) ?? [];
  expect(group?.ranges).toEqual([kept ? range('1') : null]);
});

test('a column that the catalog has not is left out', () => {
  expect(rangeNames([file('x INTEGER', [range('1')])], columns('a INTEGER'))).toEqual([]);
});
