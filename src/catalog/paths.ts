/** Paths of catalog.yaml: `${name}` expands, relative ones start at their base, none leaves its connection. */
import { statSync } from 'node:fs';
import { isAbsolute, join, normalize, posix, resolve, sep } from 'node:path';
import { objectPlace } from '../file-paths.ts';
import type { FileFormat, S3Connection } from '../files.ts';
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

/** What a directory stands for: every file of the format in it and below. */
const FILES_OF: Readonly<Record<FileFormat, { readonly pattern: string; readonly ending: RegExp }>> = {
  parquet: { pattern: '*.parquet', ending: /\.parquet$/ },
  csv: { pattern: '*.csv', ending: /\.csv$/ },
  // .json and .jsonl
  json: { pattern: '*.json*', ending: /\.jsonl?$/ },
};

/** A file, directory or glob below a connection's directory; a directory stands for every file of the format in it. */
export function pathBelow(directory: string, text: string, node: YamlNode, format: FileFormat = 'parquet'): string | undefined {
  if (hasControl(text)) return node.problem('a path must not be empty or hold control characters');
  if (isAbsolute(text) || text.includes('${')) return node.problem("a dataset's path is relative to its connection's directory");
  const path = normalize(join(directory, text));
  if (path !== directory && !path.startsWith(directory.endsWith(sep) ? directory : directory + sep))
    return node.problem("the path leaves its connection's directory");
  return isDirectory(path, format) ? join(path, '**', FILES_OF[format].pattern) : path;
}

/** An object, prefix or glob below a connection's prefix; a prefix stands for every object of the format below it. */
export function objectBelow(connection: S3Connection, text: string, node: YamlNode, format: FileFormat = 'parquet'): string | undefined {
  if (hasControl(text)) return node.problem('a path must not be empty or hold control characters');
  if (text.startsWith('/') || text.includes('://') || text.includes('${'))
    return node.problem("a dataset's path is relative to its connection's url");
  const path = posix.normalize(text);
  if (path === '..' || path.startsWith('../')) return node.problem("the path leaves its connection's url");
  // The engine reads what follows them as something else than a key.
  if (/[#%\\]/.test(path)) return node.problem('a path on S3 must not hold #, % or \\');
  const place = objectPlace(connection);
  const { pattern, ending } = FILES_OF[format];
  if (path === '.' || path === './') return `${place}**/${pattern}`;
  const isPrefix = path.endsWith('/') || !(/[*?[\]{}]/.test(path) || ending.test(path));
  return isPrefix ? `${place}${path.replace(/\/$/, '')}/**/${pattern}` : place + path;
}

function isDirectory(path: string, format: FileFormat): boolean {
  if (path.endsWith(sep)) return true;
  if (/[*?[\]{}]/.test(path)) return false;
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? !FILES_OF[format].ending.test(path);
}

function hasControl(text: string): boolean {
  return text === '' || /\p{Cc}/u.test(text);
}
