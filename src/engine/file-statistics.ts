/** What the footers of Parquet files say: columns, row groups, and the range of values where its order is beyond doubt. Reads no rows. */
import { fail, STORAGE_FAULTS } from '../errors.ts';
import { literalPath } from '../file-paths.ts';
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
/** Leaves looked at, of nested columns too. */
const LEAVES_MAX = 200;
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
  const files = new Map<string, { readonly schema: FileSchema; readonly groups: readonly LeafRow[]; readonly ordered: boolean }>();
  for (const [file, text, ordered, groups] of await query(footerQuery(paths))) {
    if (file == null || text == null) continue;
    const schema = known.get(text) ?? (await describe(text, file, columns));
    if (known.size >= SCHEMAS_MAX) known.clear();
    known.set(text, schema);
    files.set(file, { schema, groups: JSON.parse(groups ?? '[]') as readonly LeafRow[], ordered: ordered === 'true' });
  }
  return paths.map((path) => {
    const { schema, groups, ordered } = files.get(path) ?? fail('storage.unavailable', STORAGE_FAULTS.other);
    return { path, columns: schema.columns, rowGroups: rowGroups(groups, schema, ordered) };
  });
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

/**
 * By file: its name, its schema, whether it says how its values are ordered (what others call least and greatest means nothing), and its
 * row groups by leaf. Each footer is read once.
 */
function footerQuery(paths: readonly string[]): string {
  const list = [...new Set(paths)].map((path) => quoteText(literalPath(path))).join(', ');
  const texts = (facts: readonly string[]): string => `[${facts.map((fact) => `(${fact})::VARCHAR`).join(', ')}]`;
  const element = texts(['x.name', 'x.type', 'x.num_children', 'x.duckdb_type']);
  const leaf = texts([
    'x.row_group_id',
    'x.column_id',
    'x.row_group_num_rows',
    'coalesce(nullif(x.row_group_compressed_bytes, 0), x.row_group_bytes)',
    'x.stats_min_value',
    'x.stats_max_value',
    'x.stats_null_count',
    'x.min_is_exact AND x.max_is_exact',
  ]);
  const orders = 'parquet_file_metadata[1].column_orders';
  return `SELECT parquet_file_metadata[1].file_name,
      to_json([${element} FOR x IN parquet_schema])::VARCHAR,
      (len(${orders}) > 0 AND len([x FOR x IN ${orders} IF x NOT LIKE '%TypeDefinedOrder%']) = 0)::VARCHAR,
      to_json([${leaf} FOR x IN parquet_metadata IF x.column_id < ${LEAVES_MAX}])::VARCHAR
    FROM parquet_full_metadata([${list}])`;
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
    if (plain && top.physicalType !== 'INT96' && RANGED.test(type) && top.leaf < LEAVES_MAX && ranged.size < RANGED_MAX)
      ranged.set(top.leaf, place);
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
