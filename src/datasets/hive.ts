/** Hive partitions out of paths, read as DuckDB reads them. */
import { fail } from '../errors.ts';
import { hiveDirectories, isNullPartition } from '../file-paths.ts';
import { foldName } from '../names.ts';
import { readKey } from '../sql/index.ts';

export interface Partitioned {
  /** In path order. */
  readonly columns: readonly string[];
  /** By file; null = hive's default partition. */
  readonly values: readonly (readonly (string | null)[])[];
}

const NONE: Partitioned = { columns: [], values: [] };

/** Rejects with dataset.invalid when the files do not have the same partitions in the same order. */
export function readPartitions(paths: readonly string[]): Partitioned {
  const [first] = paths;
  if (first === undefined) return NONE;
  const columns = partitionsOf(first).map(([name]) => name);
  if (new Set(columns.map(foldName)).size < columns.length)
    fail('dataset.invalid', `the directories name the partition ${JSON.stringify(columns.join('/'))} twice`);
  let others = 0;
  const values = paths.map((path) => {
    const parts = partitionsOf(path);
    if (parts.length !== columns.length || parts.some(([name], i) => name !== columns[i])) others++;
    return parts.map(([, value]) => value);
  });
  if (others > 0)
    fail(
      'dataset.invalid',
      `${others} of ${paths.length} files lie in other partitions than ${JSON.stringify(columns.join('/'))}: every path needs the same ones in the same order`,
    );
  return { columns, values };
}

function partitionsOf(path: string): readonly (readonly [name: string, value: string | null])[] {
  return hiveDirectories(path).map(([name, value]) => [name, isNullPartition(value) ? null : unescaped(value)]);
}

/** `%2F` is a byte; what is no such escape stays. */
function unescaped(text: string): string {
  if (!text.includes('%')) return text;
  return text.replaceAll(/(?:%[0-9a-f]{2})+/gi, (escaped) => {
    const bytes = Buffer.from(escaped.replaceAll('%', ''), 'hex');
    const decoded = bytes.toString('utf8');
    if (!Buffer.from(decoded).equals(bytes)) fail('dataset.invalid', "a partition's value in a path is not UTF-8");
    return decoded;
  });
}

/** The type that DuckDB takes for a partition column: whole numbers as they are written without padding, days, else text. */
export function partitionType(values: ReadonlySet<string | null>): string {
  const known = [...values].filter((value) => value !== null);
  if (known.length === 0) return 'VARCHAR';
  if (known.every((value) => /^(?:0|-?[1-9]\d{0,17})$/.test(value))) return 'BIGINT';
  return known.every((value) => readKey(value, 'DATE') !== null) ? 'DATE' : 'VARCHAR';
}
