/** What the footers of Parquet files say: columns, row groups, and the range of values where its order is beyond doubt. Reads no rows. */
import { fail } from '../errors.ts';
import { quoteText } from './quoting.ts';
import type { ColumnInfo, FileStatistics, RowGroupStatistics } from './types.ts';

type Rows = readonly (readonly (string | null)[])[];

interface StatisticsPorts {
  readonly query: (sql: string) => Promise<Rows>;
  /** Of a trusted relation. */
  readonly columns: (relation: string) => Promise<readonly ColumnInfo[]>;
}

/** One element of a file's schema tree, parents before children. */
type SchemaElement = readonly [name: string, physicalType: string | null, children: string | number | null, duckdbType: string | null];

interface FileSchema {
  readonly columns: readonly ColumnInfo[];
  /** Leaf number → place in `columns`, for columns whose ranges count. */
  readonly ranged: ReadonlyMap<number, number>;
}

/** Wide tables have ranges for their first columns. */
const RANGED_MAX = 32;
/** Floats have NaN, INT96 has no order; other types say what they mean in the footer. */
const RANGED =
  /^(?:U?(?:TINY|SMALL|BIG)?INT(?:EGER)?|BOOLEAN|DATE|TIME|TIMESTAMP(?:_NS|_MS|_S| WITH TIME ZONE)?|DECIMAL\(\d+,\d+\)|VARCHAR)$/;

/** By the text of the schema. */
export type SchemaCache = Map<string, FileSchema>;

const SCHEMAS_MAX = 100;

export function createSchemaCache(): SchemaCache {
  return new Map();
}

/** In the order of `paths`. Schemas that were seen are in `known`. Fails with storage.unavailable when a file does not answer. */
export async function readStatistics(
  paths: readonly string[],
  known: SchemaCache,
  { query, columns }: StatisticsPorts,
): Promise<readonly FileStatistics[]> {
  if (paths.length === 0) return [];
  const list = `[${[...new Set(paths)].map((path) => quoteText(literalPath(path))).join(', ')}]`;
  const schemas = new Map<string, FileSchema>();
  for (const [text, file] of await query(schemaQuery(list))) {
    if (text == null || file == null) continue;
    const schema = known.get(text) ?? (await describe(text, file, columns));
    if (known.size >= SCHEMAS_MAX) known.clear();
    known.set(text, schema);
    schemas.set(file, schema);
  }
  const leaves = [...new Set([...schemas.values()].flatMap(({ ranged }) => [...ranged.keys()]))];
  const groups = new Map(
    (await query(groupQuery(list, leaves))).map(([file, text]) => [file, JSON.parse(text ?? '[]') as readonly LeafRow[]]),
  );
  const ordered = new Set((await query(orderQuery(list))).map(([file]) => file));
  return paths.map((path) => {
    const schema = schemas.get(path) ?? fail('storage.unavailable', 'a file could not be read from its storage; try again');
    return { path, columns: schema.columns, rowGroups: rowGroups(groups.get(path) ?? [], schema, ordered.has(path)) };
  });
}

/** A name with such a character would be read as a pattern. */
function literalPath(path: string): string {
  return path.replaceAll(/[*?[]/g, '[$&]');
}

function schemaQuery(list: string): string {
  return `SELECT to_json(list([name, type, num_children::VARCHAR, duckdb_type] ORDER BY column_id))::VARCHAR, file_name
    FROM parquet_schema(${list}) GROUP BY file_name`;
}

type LeafRow = readonly [
  group: string,
  leaf: string,
  rows: string,
  bytes: string,
  min: string | null,
  max: string | null,
  nulls: string | null,
  exact: string | null,
];

function groupQuery(list: string, leaves: readonly number[]): string {
  const facts = [
    'row_group_id',
    'column_id',
    'row_group_num_rows',
    'coalesce(nullif(row_group_compressed_bytes, 0), row_group_bytes)',
    'stats_min_value',
    'stats_max_value',
    'stats_null_count',
    'min_is_exact AND max_is_exact',
  ].map((fact) => `(${fact})::VARCHAR`);
  return `SELECT file_name, to_json(list([${facts.join(', ')}] ORDER BY row_group_id, column_id))::VARCHAR
    FROM parquet_metadata(${list}) WHERE column_id IN (${[0, ...leaves].join(', ')}) GROUP BY file_name`;
}

/** Files that say how their values are ordered; what the others call least and greatest means nothing. */
function orderQuery(list: string): string {
  return `SELECT file_name FROM parquet_file_metadata(${list})
    WHERE len(column_orders) > 0 AND len(list_filter(column_orders, x -> x NOT LIKE '%TypeDefinedOrder%')) = 0`;
}

/** The columns as DuckDB itself reads them, nested ones too. */
async function describe(text: string, file: string, columnsOf: StatisticsPorts['columns']): Promise<FileSchema> {
  const elements = JSON.parse(text) as readonly SchemaElement[];
  const columns = await columnsOf(`read_parquet(${quoteText(literalPath(file))}, hive_partitioning = false)`);
  const ranged = new Map<number, number>();
  const tree = new SchemaTree(elements);
  for (const [place, top] of tree.columns().entries()) {
    const type = columns[place]?.type ?? '';
    const plain = top.children === 0 && top.name === columns[place]?.name && top.duckdbType === type;
    if (plain && top.physicalType !== 'INT96' && RANGED.test(type) && ranged.size < RANGED_MAX) ranged.set(top.leaf, place);
  }
  return { columns, ranged };
}

interface TopColumn {
  readonly name: string;
  readonly physicalType: string | null;
  readonly duckdbType: string | null;
  readonly children: number;
  /** Number of its first leaf. */
  readonly leaf: number;
}

/** Walks the flattened tree. */
class SchemaTree {
  readonly #elements: readonly SchemaElement[];
  #next = 0;
  #leaves = 0;

  constructor(elements: readonly SchemaElement[]) {
    this.#elements = elements;
  }

  columns(): readonly TopColumn[] {
    this.#next = 0;
    this.#leaves = 0;
    const children = Number(this.#elements[this.#next++]?.[2] ?? 0);
    const columns: TopColumn[] = [];
    for (let i = 0; i < children && this.#next < this.#elements.length; i++) {
      const [name, physicalType, count, duckdbType] = this.#elements[this.#next] ?? ['', null, null, null];
      columns.push({ name, physicalType, duckdbType, children: Number(count ?? 0), leaf: this.#leaves });
      this.#skip();
    }
    return columns;
  }

  /** Over one element and all below it. */
  #skip(): void {
    for (let open = 1; open > 0 && this.#next < this.#elements.length; open--) {
      const children = Number(this.#elements[this.#next++]?.[2] ?? 0);
      if (children === 0) this.#leaves++;
      open += children;
    }
  }
}

function rowGroups(rows: readonly LeafRow[], { columns, ranged }: FileSchema, ordered: boolean): readonly RowGroupStatistics[] {
  const groups = new Map<
    string,
    { readonly rows: number; readonly bytes: number; readonly ranges: RowGroupStatistics['ranges'][number][] }
  >();
  for (const [id, leaf, count, bytes, min, max, nulls, exact] of rows) {
    const group = groups.get(id) ?? { rows: Number(count), bytes: Number(bytes), ranges: columns.map(() => null) };
    groups.set(id, group);
    const place = ranged.get(Number(leaf));
    if (place === undefined || !ordered) continue;
    const allNull = nulls !== null && Number(nulls) === group.rows;
    // A text may be cut where nobody says that it is whole.
    const sound = min !== null && max !== null && (columns[place]?.type !== 'VARCHAR' || exact === 'true');
    if (allNull) group.ranges[place] = { min: null, max: null, hasNull: group.rows > 0 };
    else if (sound) group.ranges[place] = { min, max, hasNull: nulls !== '0' };
  }
  return [...groups.values()];
}
