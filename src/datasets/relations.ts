/** SQL of text files whose columns are not known yet; files with known columns are read by the scans in `sql/`. */
import { literalPath } from '../file-paths.ts';
import { stringLiteral } from '../sql/index.ts';

/** A header row names the columns; delimiter and quotes are found by the engine, file by file. */
export function csvRelation(paths: readonly string[]): string {
  return `read_csv(${fileList(paths)}, header = true, hive_partitioning = false)`;
}

/** One object per line. */
export function jsonRelation(paths: readonly string[]): string {
  return `read_json(${fileList(paths)}, format = 'newline_delimited', union_by_name = true, hive_partitioning = false)`;
}

function fileList(paths: readonly string[]): string {
  return `[${paths.map((path) => stringLiteral(literalPath(path))).join(', ')}]`;
}
