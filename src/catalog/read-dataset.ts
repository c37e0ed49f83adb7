/** One entry of `datasets:`. */

import { type Connection, FILE_FORMATS, type FileFormat } from '../files.ts';
import type { Dataset, Source } from '../model.ts';
import { foldName } from '../names.ts';
import { identifierFault, schemaFault } from './identifiers.ts';
import { type DeclaredKeys, readKeys } from './keys.ts';
import { objectBelow, pathBelow } from './paths.ts';
import type { Position } from './problems.ts';
import type { Fields, YamlNode } from './yaml-node.ts';

/** What the YAML says about a column; the type may come from the source. */
export interface DeclaredColumn {
  readonly name: string;
  readonly type: string | undefined;
  readonly tags: readonly string[];
  readonly description: string | undefined;
  readonly position: Position;
}

/** A dataset before its columns are resolved. */
export interface DraftDataset {
  readonly dataset: Dataset;
  readonly declared: readonly DeclaredColumn[];
  readonly keys: DeclaredKeys;
  readonly position: Position;
}

interface Surroundings {
  readonly connections: readonly Connection[];
  readonly tags: ReadonlySet<string>;
}

const KEYS = [
  'id',
  'description',
  'tags',
  'connection',
  'parquet',
  'csv',
  'json',
  'hive',
  'table',
  'view',
  'columns',
  'primaryKey',
  'foreignKeys',
] as const;
type DatasetFields = Fields<(typeof KEYS)[number]>;

/** `key` is `schema.name`. undefined after a problem that leaves no dataset. */
export function readDataset(key: string, node: YamlNode, around: Surroundings): DraftDataset | undefined {
  const [schema = '', name = '', ...rest] = key.split('.');
  const fault =
    rest.length > 0 || name === '' ? `${key} is no dataset name; write schema.name` : (schemaFault(schema) ?? identifierFault(name));
  if (fault !== null) node.problem(fault);
  const fields = node.fields(KEYS);
  const source = readSource(fields, node, around.connections);
  const description = fields.get('description')?.text();
  const tags = readTagList(fields.get('tags'), around.tags);
  const declared = readColumns(fields.get('columns'), around.tags);
  const untyped =
    (source?.kind === 'csv' || source?.kind === 'json') && (declared.length === 0 || declared.some(({ type }) => type === undefined));
  if (untyped) node.problem(`a ${source.kind} dataset needs columns with their types; sluice dataset register finds them`);
  const keys = readKeys(name, fields.get('primaryKey'), fields.get('foreignKeys'));
  if (source === undefined || fault !== null) return undefined;
  const id = fields.get('id')?.text() ?? key;
  const dataset: Dataset = { id, schema, name, ...(description === undefined ? {} : { description }), tags, columns: [], source };
  return { dataset, declared, keys, position: node.position };
}

const KINDS = [...FILE_FORMATS, 'table', 'view'] as const;

function readSource(fields: DatasetFields, node: YamlNode, connections: readonly Connection[]): Source | undefined {
  const given = KINDS.filter((kind) => fields.get(kind) !== undefined);
  const [kind] = given;
  const at = kind === undefined ? undefined : fields.get(kind);
  if (kind === undefined || at === undefined || given.length > 1) return node.problem(`a dataset needs one of ${KINDS.join(', ')}`);
  const format = FILE_FORMATS.find((name) => name === kind);
  if (format === undefined) fields.get('hive')?.problem(`hive goes with ${FILE_FORMATS.join(', ')}`);
  const text = at.text();
  if (text === undefined) return undefined;
  if (kind === 'view') {
    fields.get('connection')?.problem('a view has no connection');
    return text.trim() === '' ? at.problem('view must hold a SELECT') : { kind: 'view', sql: text };
  }
  const connection = pickConnection(fields, node, connections, format === undefined ? ['duckdb'] : ['local', 's3']);
  if (connection === undefined) return undefined;
  if (connection.kind === 'duckdb') return readTable(text, connection.name, at);
  return readFiles(format ?? 'parquet', text, connection, fields, at);
}

function readFiles(
  kind: FileFormat,
  text: string,
  connection: Exclude<Connection, { kind: 'duckdb' }>,
  fields: DatasetFields,
  at: YamlNode,
): Source | undefined {
  const path = connection.kind === 's3' ? objectBelow(connection, text, at, kind) : pathBelow(connection.directory, text, at, kind);
  const hivePartitioning = fields.get('hive')?.flag() ?? false;
  return path === undefined ? undefined : { kind, connection: connection.name, path, hivePartitioning };
}

/** `schema.table`; `main` when there is no dot. */
function readTable(text: string, connection: string, node: YamlNode): Source | undefined {
  const parts = text.split('.');
  const [schema, table] = parts.length === 1 ? ['main', text] : parts;
  if (parts.length > 2 || !schema || !table) return node.problem('table must be schema.table');
  return { kind: 'duckdb', connection, schema, table };
}

/** May be left out when there is only one of the kind. */
function pickConnection(
  fields: DatasetFields,
  node: YamlNode,
  connections: readonly Connection[],
  kinds: readonly Connection['kind'][],
): Connection | undefined {
  const fitting = connections.filter((connection) => kinds.includes(connection.kind));
  const kind = kinds.join(' or ');
  const named = fields.get('connection');
  const name = named?.text();
  if (named !== undefined) {
    if (name === undefined) return undefined;
    return fitting.find((connection) => connection.name === name) ?? named.problem(`there is no ${kind} connection ${name}`);
  }
  const [only, ...others] = fitting;
  return only !== undefined && others.length === 0 ? only : node.problem(`the dataset needs connection: the name of a ${kind} connection`);
}

function readTagList(node: YamlNode | undefined, known: ReadonlySet<string>): readonly string[] {
  const tags = node?.texts() ?? [];
  for (const tag of tags) if (!known.has(tag)) node?.problem(`tag ${tag} is not declared under tags`);
  return [...new Set(tags)];
}

function readColumns(node: YamlNode | undefined, known: ReadonlySet<string>): readonly DeclaredColumn[] {
  const names = new Set<string>();
  return (node?.entries() ?? []).map(([name, value]) => {
    if (name === '') value.problem('a column needs a name');
    if (names.has(foldName(name))) value.problem(`column ${name} is there twice`);
    names.add(foldName(name));
    const fields = value.fields(['type', 'tags', 'description']);
    return {
      name,
      type: fields.get('type')?.text(),
      tags: readTagList(fields.get('tags'), known),
      description: fields.get('description')?.text(),
      position: value.position,
    };
  });
}
