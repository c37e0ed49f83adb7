import { expect, test } from 'vitest';
import { hiveDirectories, isNullPartition, literalPath, objectPlace } from '#src/file-paths.js';

test('a literal path holds no pattern', () => {
  expect(literalPath('/data/plain.parquet')).toBe('/data/plain.parquet');
  expect(literalPath('/data/a*b?c[d].parquet')).toBe('/data/a[*]b[?]c[[]d].parquet');
  expect(literalPath('s3://bucket/a*b?c[d].parquet')).toBe('s3://bucket/a*b?c[d].parquet');
});

test.each([
  [
    '/data/year=2024/month=01/a.parquet',
    [
      ['year', '2024'],
      ['month', '01'],
    ],
  ],
  ['C:\\data\\year=2024\\a.parquet', [['year', '2024']]],
  // A file is no directory.
  ['/data/year=2024', []],
  ['/data/a=b=c/d.parquet', []],
  ['/data/=x/a?b=1/d.parquet', []],
  ['/data/name=/d.parquet', [['name', '']]],
  ['/data/name=a%2Fb/d.parquet', [['name', 'a%2Fb']]],
  ['s3://bucket/day=2024-01-01/a.parquet', [['day', '2024-01-01']]],
  ['a.parquet', []],
])('hive directories of %s', (path, pairs) => {
  expect(hiveDirectories(path)).toEqual(pairs);
});

test('what stands for NULL', () => {
  expect(['__HIVE_DEFAULT_PARTITION__', 'NULL', 'null', 'Null'].every(isNullPartition)).toBe(true);
  expect(['', 'nul', 'nulls', ' null', '__hive_default_partition__'].some(isNullPartition)).toBe(false);
});

test('the place of a connection takes in no neighbour', () => {
  const connection = {
    kind: 's3',
    name: 'lake',
    bucket: 'b',
    region: null,
    endpoint: null,
    pathStyle: false,
    credentials: { kind: 'default' },
  } as const;
  expect(objectPlace({ ...connection, prefix: '' })).toBe('s3://b/');
  expect(objectPlace({ ...connection, prefix: 'a/' })).toBe('s3://b/a/');
});
