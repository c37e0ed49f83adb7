/** Paths of catalog.yaml: `${name}` expands, relative ones start at their base, none leaves its connection. */
import { statSync } from 'node:fs';
import { isAbsolute, join, normalize, posix, resolve, sep } from 'node:path';
import type { S3Connection } from '../model.ts';
import type { YamlNode } from './yaml-node.ts';

export interface PathBase {
  /** Where relative paths start. */
  readonly directory: string;
  readonly variables: ReadonlyMap<string, string>;
  /** Whether http:// may leave this machine. */
  readonly plaintextNetwork?: boolean;
}

/** Absolute; undefined after a problem. */
export function expandPath(text: string, base: PathBase, node: YamlNode): string | undefined {
  if (hasControl(text)) return node.problem('a path must not be empty or hold control characters');
  const unknown: string[] = [];
  const expanded = text.replace(/\$\{([^}]*)\}/g, (_, name: string) => {
    const value = base.variables.get(name);
    if (value === undefined) unknown.push(name);
    return value ?? '';
  });
  if (unknown.length > 0)
    return node.problem(`unknown variable ${unknown.join(', ')}; known are ${[...base.variables.keys()].sort().join(', ') || 'none'}`);
  return resolve(base.directory, expanded);
}

/** A file, directory or glob below a connection's directory; a directory stands for every .parquet file in it. */
export function pathBelow(directory: string, text: string, node: YamlNode): string | undefined {
  if (hasControl(text)) return node.problem('a path must not be empty or hold control characters');
  if (isAbsolute(text) || text.includes('${')) return node.problem("a dataset's path is relative to its connection's directory");
  const path = normalize(join(directory, text));
  if (path !== directory && !path.startsWith(directory.endsWith(sep) ? directory : directory + sep))
    return node.problem("the path leaves its connection's directory");
  return isDirectory(path) ? join(path, '**', '*.parquet') : path;
}

/** An object, prefix or glob below a connection's prefix; a prefix stands for every .parquet object below it. */
export function objectBelow({ bucket, prefix }: S3Connection, text: string, node: YamlNode): string | undefined {
  if (hasControl(text)) return node.problem('a path must not be empty or hold control characters');
  if (text.startsWith('/') || text.includes('://') || text.includes('${'))
    return node.problem("a dataset's path is relative to its connection's url");
  const path = posix.normalize(text);
  if (path === '..' || path.startsWith('../')) return node.problem("the path leaves its connection's url");
  // The engine reads what follows them as something else than a key.
  if (/[#%\\]/.test(path)) return node.problem('a path on S3 must not hold #, % or \\');
  const place = `s3://${bucket}/${prefix}`;
  if (path === '.' || path === './') return `${place}**/*.parquet`;
  const isPrefix = path.endsWith('/') || !(/[*?[\]{}]/.test(path) || path.endsWith('.parquet'));
  return isPrefix ? `${place}${path.replace(/\/$/, '')}/**/*.parquet` : place + path;
}

function isDirectory(path: string): boolean {
  if (path.endsWith(sep)) return true;
  if (/[*?[\]{}]/.test(path)) return false;
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? !path.endsWith('.parquet');
}

function hasControl(text: string): boolean {
  return text === '' || /\p{Cc}/u.test(text);
}
