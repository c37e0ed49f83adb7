/** Paths of files as DuckDB reads them: what in them would be a pattern, what is a hive partition, and where objects lie. */
import type { S3Connection } from './files.ts';

/** Means this one file, whatever characters its name holds. Names on S3 are literal already (`s3_url_compatibility_mode`). */
export function literalPath(path: string): string {
  return path.startsWith('s3://') ? path : path.replaceAll(/[*?[]/g, '[$&]');
}

/** What everything below a connection begins with. Ends with `/`: without it a sibling with the same beginning would be meant too. */
export function objectPlace({ bucket, prefix }: S3Connection): string {
  return `s3://${bucket}/${prefix}`;
}

/** Directories `name=value` with one equals sign, in path order; escapes stay as they are written. */
export function hiveDirectories(path: string): readonly (readonly [name: string, value: string])[] {
  return path
    .split(/[/\\]/)
    .slice(0, -1)
    .flatMap((part): readonly (readonly [string, string])[] => {
      const [, name, value] = /^([^=?\n]+)=([^=?\n]*)$/.exec(part) ?? [];
      return name === undefined || value === undefined ? [] : [[name, value]];
    });
}

/** Whether a partition's value stands for NULL. */
export function isNullPartition(value: string): boolean {
  return value === '__HIVE_DEFAULT_PARTITION__' || /^null$/i.test(value);
}
