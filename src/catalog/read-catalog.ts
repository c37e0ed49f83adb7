/** catalog.yaml → catalog name, tags, connections and dataset drafts whose columns are as declared. */

import type { Connection } from '../files.ts';
import type { Dataset } from '../model.ts';
import { foldName } from '../names.ts';
import { identifierFault, schemaFault, wordFault } from './identifiers.ts';
import type { PathBase } from './paths.ts';
import type { Problems } from './problems.ts';
import { readConnection } from './read-connection.ts';
import { type DraftDataset, readDataset } from './read-dataset.ts';
import { readYaml, type YamlNode } from './yaml-node.ts';

export interface CatalogDraft {
  readonly name: string;
  readonly defaultSchema: string;
  /** null: nobody makes tables here. */
  readonly scratchSchema: string | null;
  readonly tags: ReadonlySet<string>;
  readonly connections: readonly Connection[];
  readonly datasets: readonly DraftDataset[];
}

export const CATALOG_FILE = 'catalog.yaml';
/** The connection behind scratch tables. */
export const SCRATCH_CONNECTION = 'scratch';

/** null when the file is no YAML mapping; other faults leave a partial draft beside their problems. */
export function readCatalog(text: string, base: PathBase, problems: Problems): CatalogDraft | null {
  const root = readYaml(CATALOG_FILE, text, problems);
  if (root === null) return null;
  const fields = root.fields(
    ['catalog', 'defaultSchema', 'scratch', 'connections', 'tags', 'datasets'],
    ['catalog', 'defaultSchema', 'datasets'],
  );
  const tags = readTags(fields.get('tags'));
  const connections = readConnections(fields.get('connections'), base);
  const datasets = readDatasets(fields.get('datasets'), connections, tags);
  const name = readName(fields.get('catalog'));
  const defaultSchema = readName(fields.get('defaultSchema'));
  const clash = datasets.find(({ dataset }) => foldName(dataset.schema) === foldName(name));
  if (clash !== undefined) problems.add(clash.position, `schema ${clash.dataset.schema} has the catalog's name`);
  const scratchSchema = readScratch(fields.get('scratch'), { name, defaultSchema, connections, datasets }, problems);
  return { name, defaultSchema, scratchSchema, tags, connections, datasets };
}

/** `scratch: { schema: name }`. Nothing else may be in that schema, for what is in it belongs to whoever made it. */
function readScratch(
  node: YamlNode | undefined,
  catalog: Pick<CatalogDraft, 'name' | 'defaultSchema' | 'connections' | 'datasets'>,
  problems: Problems,
): string | null {
  if (node === undefined) return null;
  const schema = readName(node.fields(['schema'], ['schema']).get('schema'));
  const same = (name: string): boolean => foldName(name) === foldName(schema);
  if (schema !== '' && same(catalog.name)) node.problem(`scratch schema ${schema} has the catalog's name`);
  if (schema !== '' && same(catalog.defaultSchema)) node.problem('the scratch schema can not be the default schema');
  for (const { dataset, position } of catalog.datasets)
    if (same(dataset.schema)) problems.add(position, `${nameOf(dataset)} is in the scratch schema, which is for tables of one's own`);
  if (catalog.connections.some(({ name }) => foldName(name) === SCRATCH_CONNECTION))
    node.problem(`connection ${SCRATCH_CONNECTION} is Sluice's own when there is a scratch schema; give yours another name`);
  return schema;
}

function readName(node: YamlNode | undefined): string {
  const name = node?.text();
  if (name === undefined) return '';
  const fault = schemaFault(name);
  if (fault !== null) node?.problem(fault);
  return name;
}

/** `tags: { email: what it means }`; a description may be left empty. */
function readTags(node: YamlNode | undefined): ReadonlySet<string> {
  const tags = new Set<string>();
  for (const [name, value] of node?.entries() ?? []) {
    const fault = wordFault(name);
    if (fault !== null) value.problem(fault);
    if (!value.isNull) value.text();
    tags.add(name);
  }
  return tags;
}

function readConnections(node: YamlNode | undefined, base: PathBase): readonly Connection[] {
  const names = new Set<string>();
  const places = new Map<string, string>();
  return (node?.entries() ?? []).flatMap(([name, value]) => {
    const fault = wordFault(name) ?? identifierFault(name);
    if (fault !== null) value.problem(fault);
    if (names.has(foldName(name))) value.problem(`connection ${name} is there twice`);
    names.add(foldName(name));
    const connection = readConnection(name, value, base);
    if (connection?.kind === 's3') {
      const place = `${connection.bucket}/${connection.prefix}`;
      const twin = places.get(place);
      if (twin !== undefined) value.problem(`connections ${twin} and ${name} are for the same place; the engine could not tell them apart`);
      places.set(place, name);
    }
    return connection ?? [];
  });
}

function readDatasets(node: YamlNode | undefined, connections: readonly Connection[], tags: ReadonlySet<string>): readonly DraftDataset[] {
  const drafts = (node?.entries() ?? []).flatMap(([name, value]) => readDataset(name, value, { connections, tags }) ?? []);
  reportTwins(drafts, ({ dataset }) => foldName(`${dataset.schema}.${dataset.name}`), 'two datasets differ in case only', node);
  reportTwins(drafts, ({ dataset }) => dataset.id, 'two datasets have the same id', node);
  return drafts;
}

function reportTwins(
  drafts: readonly DraftDataset[],
  key: (draft: DraftDataset) => string,
  text: string,
  node: YamlNode | undefined,
): void {
  const seen = new Map<string, DraftDataset>();
  for (const draft of drafts) {
    const twin = seen.get(key(draft));
    if (twin !== undefined) node?.problem(`${text}: ${nameOf(twin.dataset)} and ${nameOf(draft.dataset)}`);
    seen.set(key(draft), draft);
  }
}

function nameOf(dataset: Dataset): string {
  return `${dataset.schema}.${dataset.name}`;
}
