/** One entry of `connections:`. */
import type { Connection } from '../files.ts';
import { expandPath, type PathBase } from './paths.ts';
import { readS3Connection } from './read-s3.ts';
import type { YamlNode } from './yaml-node.ts';

/** undefined after a problem. */
export function readConnection(name: string, node: YamlNode, base: PathBase): Connection | undefined {
  const kind = kindOf(node);
  switch (kind?.text) {
    case undefined:
      return node.isMapping ? (kind === null ? node.problem(`${name} needs kind`) : undefined) : node.problem(`${name} must be a mapping`);
    case 'local':
      return readPlace(name, 'local', 'directory', 'file', node, base);
    case 'duckdb':
      return readPlace(name, 'duckdb', 'file', 'directory', node, base);
    case 's3':
      return readS3Connection(name, node, base);
    default:
      return kind?.node.problem(`unknown kind ${kind.text}; known are local, duckdb, s3`);
  }
}

function kindOf(node: YamlNode): { readonly text: string | undefined; readonly node: YamlNode } | null {
  const found = node.isMapping ? node.entries().find(([key]) => key === 'kind')?.[1] : undefined;
  return found === undefined ? null : { text: found.text(), node: found };
}

function readPlace(
  name: string,
  kind: 'local' | 'duckdb',
  wanted: 'directory' | 'file',
  other: 'directory' | 'file',
  node: YamlNode,
  base: PathBase,
): Connection | undefined {
  const fields = node.fields(['kind', 'directory', 'file']);
  fields.get(other)?.problem(`a ${kind} connection has no ${other}`);
  const path = fields.get(wanted);
  if (path === undefined) return node.problem(`a ${kind} connection needs ${wanted}`);
  const text = path.text();
  const absolute = text === undefined ? undefined : expandPath(text, base, path);
  if (absolute === undefined) return undefined;
  return kind === 'local' ? { kind, name, directory: absolute } : { kind, name, file: absolute };
}
