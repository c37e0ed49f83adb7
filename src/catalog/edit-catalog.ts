/** Changes one dataset's entry in the text of catalog.yaml; comments and order of everything else stay. */
import { isMap, parseDocument, type YAMLMap } from 'yaml';
import { fail } from '../errors.ts';
import type { FileFormat } from '../files.ts';
import { foldName } from '../names.ts';
import type { ColumnType } from './types.ts';

export interface DatasetEntry {
  readonly connection: string;
  readonly format: FileFormat;
  /** As a steward writes it: relative to the connection. */
  readonly path: string;
  readonly hivePartitioning: boolean;
  /** Left out = as they are. */
  readonly description?: string;
  readonly tags?: readonly string[];
  /** All of them; tags and descriptions that are there stay. */
  readonly columns: readonly ColumnType[];
}

/** `key` is `schema.name`; the entry is made where there is none. Throws policy.invalid where the text is no catalog. */
export function editDataset(text: string, key: string, entry: DatasetEntry): string {
  const document = parseDocument(text, { stringKeys: true });
  if (document.errors.length > 0 || !isMap(document.contents))
    return fail('policy.invalid', 'catalog.yaml does not read; run sluice check');
  const known = document.getIn(['datasets']);
  // An empty `{}` would keep what is added in one line.
  if (!isMap(known) || known.items.length === 0) document.setIn(['datasets'], document.createNode({}));
  const name = knownKey(document.getIn(['datasets']) as YAMLMap, key) ?? key;
  if (document.getIn(['datasets', name]) === undefined) document.setIn(['datasets', name], document.createNode(source(entry)));
  if (entry.description !== undefined) document.setIn(['datasets', name, 'description'], entry.description);
  if (entry.tags !== undefined) document.setIn(['datasets', name, 'tags'], document.createNode([...entry.tags], { flow: true }));
  if (!isMap(document.getIn(['datasets', name, 'columns']))) document.setIn(['datasets', name, 'columns'], document.createNode({}));
  for (const column of entry.columns) setColumn(document, ['datasets', name, 'columns'], column);
  return document.toString({ lineWidth: 0 });
}

type Document = ReturnType<typeof parseDocument>;

function source({ connection, format, path, hivePartitioning }: DatasetEntry): Readonly<Record<string, unknown>> {
  return { connection, [format]: path, ...(hivePartitioning ? { hive: true } : {}) };
}

function setColumn(document: Document, columns: readonly string[], { name, type }: ColumnType): void {
  const known = knownKey(document.getIn(columns) as YAMLMap, name);
  const at = [...columns, known ?? name];
  if (known !== undefined && isMap(document.getIn(at))) document.setIn([...at, 'type'], type);
  else document.setIn(at, document.createNode({ type }, { flow: true }));
}

/** Names compare as everywhere, whatever their case. */
function knownKey(map: YAMLMap, name: string): string | undefined {
  return map.items.map(({ key }) => String(key)).find((key) => foldName(key) === foldName(name));
}
