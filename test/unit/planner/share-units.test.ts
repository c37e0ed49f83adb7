import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { FileIndex, ScanPart } from '#src/files.js';
import type { Dataset } from '#src/model.js';
import { indexedSet, partsOf } from '#src/planner/file-set.js';
import { partsOfUnits, unitsOf } from '#src/planner/share-units.js';
import { balanced } from '#src/planner/split.js';

const DATASET: Dataset = {
  id: 'd',
  schema: 'demo',
  name: 't',
  tags: [],
  columns: [{ name: 'a', type: 'BIGINT', tags: [] }],
  source: { kind: 'parquet', connection: 'lake', path: '/t', hivePartitioning: false },
};

/** By file its variant and the rows of its row groups; a row is a byte. */
function indexOf(files: readonly (readonly [variant: number, groups: readonly number[]])[]): FileIndex {
  return {
    dataset: 'd',
    source: '',
    version: '1',
    indexedAtMs: 0,
    partitionColumns: [],
    rangeColumns: [],
    variants: [[{ name: 'a', type: 'BIGINT' }], [{ name: 'b', type: 'BIGINT' }]],
    files: files.map(([variant, groups], i) => ({
      path: `/t/${i}`,
      bytes: groups.reduce((sum, rows) => sum + rows, 0),
      version: '1',
      variant,
      partition: [],
      rowGroups: groups.map((rows) => ({ rows, bytes: rows, ranges: [] })),
    })),
  };
}

/** Every row of the files, in order. */
function rowsOf(parts: readonly ScanPart[]): readonly string[] {
  return parts.flatMap(({ files, rows }) => {
    expect(rows === undefined || files.length === 1).toBe(true);
    return files.flatMap(({ path, bytes }) => {
      const [from, to] = rows ?? [0, bytes];
      return Array.from({ length: to - from }, (_, i) => `${path}:${from + i}`);
    });
  });
}

test('shares hold every row once, in order, however files are cut', () => {
  const files = fc.array(fc.tuple(fc.nat(1), fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 6 })), {
    minLength: 1,
    maxLength: 8,
  });
  fc.assert(
    fc.property(files, fc.integer({ min: 2, max: 16 }), fc.integer({ min: 1, max: 30 }), (given, wanted, bytes) => {
      const index = indexOf(given);
      const parts = partsOf(indexedSet(index, DATASET), [...index.files.keys()]);
      const units = unitsOf({ dataset: DATASET, decision: { dataset: 'd' } as never, barrier: false, parts }, bytes);
      const shares = balanced(units, Math.min(wanted, units.length)).map(partsOfUnits);
      expect(shares.flatMap(rowsOf)).toEqual(rowsOf(parts));
      expect(shares.every((share) => rowsOf(share).length > 0)).toBe(true);
      for (const { rows, missing, files: own } of shares.flat()) {
        expect(missing).toEqual(own.every(({ path }) => given[Number(path.slice(3))]?.[0] === 0) ? [] : ['a']);
        expect(rows === undefined || rows[1] - rows[0] < (own[0]?.bytes ?? 0)).toBe(true);
      }
    }),
  );
});

test('one large file is cut at its row groups', () => {
  const index = indexOf([[0, [10, 10, 10, 10]]]);
  const parts = partsOf(indexedSet(index, DATASET), [0]);
  const entry = { dataset: DATASET, decision: { dataset: 'd' } as never, barrier: false, parts };
  const shares = balanced(unitsOf(entry, 20), 2).map(partsOfUnits);
  expect(shares.map(([part]) => part?.rows)).toEqual([
    [0, 20],
    [20, 40],
  ]);
  expect(balanced(unitsOf(entry, 40), 1).map(partsOfUnits)[0]?.[0]).not.toHaveProperty('rows');
  const counted = { ...DATASET, columns: [{ name: 'FILE_ROW_NUMBER', type: 'BIGINT', tags: [] }] };
  expect(unitsOf({ ...entry, dataset: counted }, 1)).toHaveLength(1);
  // Not in the catalog, but the engine reads it off the path all the same.
  const named = { ...index, files: index.files.map((file) => ({ ...file, path: '/t/File_Row_Number=1/0' })) };
  expect(unitsOf({ ...entry, parts: partsOf(indexedSet(named, DATASET), [0]) }, 20)).toHaveLength(1);
});
