/** SQL of text files whose columns are not known yet; files with known columns are read by the scans in `sql/`. */

/** A header row names the columns; delimiter and quotes are found by the engine, file by file. */
export function csvRelation(paths: readonly string[]): string {
  return `read_csv(${fileList(paths)}, header = true, hive_partitioning = false)`;
}

/** One object per line. */
export function jsonRelation(paths: readonly string[]): string {
  return `read_json(${fileList(paths)}, format = 'newline_delimited', union_by_name = true, hive_partitioning = false)`;
}

/** Each by its own name: no character in it is a pattern. On S3 none is, by the engine's setting. */
function fileList(paths: readonly string[]): string {
  const literal = (path: string): string => (path.startsWith('s3://') ? path : path.replaceAll(/[*?[]/g, '[$&]'));
  return `[${paths.map((path) => `'${literal(path).replaceAll("'", "''")}'`).join(', ')}]`;
}
