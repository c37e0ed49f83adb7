/** File indexes for tests. */
import { sourceHash } from '#src/catalog/file-index-store.js';
import type { FileIndex, IndexedFile } from '#src/files.js';
import type { Source } from '#src/model.js';

export const SOURCE: Exclude<Source, { kind: 'view' | 'duckdb' }> = {
  kind: 'parquet',
  connection: 'lake',
  path: '/lake/events/**/*.parquet',
  hivePartitioning: true,
};

type Unversioned = Omit<FileIndex, 'version'>;

export function smallIndex(dataset: string, files = 1): Unversioned {
  return {
    dataset,
    source: sourceHash(SOURCE),
    indexedAtMs: 1_700_000_000_000,
    partitionColumns: ['year', 'região'],
    rangeColumns: ['id', 'name'],
    variants: [[{ name: 'id', type: 'BIGINT' }], []],
    files: Array.from(
      { length: files },
      (_, i): IndexedFile => ({
        path: `/lake/events/year=20${i}/é\n"${i}.parquet`,
        bytes: 2 ** 40 + i,
        version: `v${i}`,
        variant: i % 2,
        partition: [String(i), i % 3 === 0 ? null : ''],
        rowGroups:
          i % 4 === 3
            ? null
            : Array.from({ length: i % 4 }, (_, group) => ({
                rows: group,
                bytes: 5,
                ranges: [{ min: `${group}`, max: '9', hasNull: group === 0 }, group === 1 ? null : { min: null, max: null, hasNull: true }],
              })),
      }),
    ),
  };
}

/** One row group with `columns` ranges in each file. */
export function largeIndex(files: number, columns: number): Unversioned {
  const names = Array.from({ length: columns }, (_, i) => `c${i}`);
  return {
    ...smallIndex('large', 0),
    rangeColumns: names,
    variants: [names.map((name) => ({ name, type: 'BIGINT' }))],
    files: Array.from({ length: files }, (_, i) => ({
      path: `s3://warehouse/events/year=2024/month=${i % 12}/day=${i % 28}/part-${String(i).padStart(8, '0')}-c000.snappy.parquet`,
      bytes: 1_000_000 + i,
      version: `"${(i * 2_654_435_761) % 2 ** 32}f00dfeedf00dfeed${i}"`,
      variant: 0,
      partition: ['2024', String(i % 12)],
      rowGroups: [
        {
          rows: 1000 + i,
          bytes: 900_000,
          ranges: names.map((_, c) => ({ min: String(i * 1000 + c), max: String(i * 1000 + 999), hasNull: false })),
        },
      ],
    })),
  };
}
