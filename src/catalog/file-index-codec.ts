/**
 * A FileIndex as bytes: gzip over JSON in columns. In memory an index stays in columns too: texts joined to one string, numbers in typed
 * arrays; a file's objects are made when somebody looks at it. 100,000 files with ten ranges each take tens of megabytes, not hundreds.
 */
import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { gunzip, gzip } from 'node:zlib';
import type { FileIndex, IndexedFile, RowGroup, ValueRange } from '../files.ts';
import { CountColumn, type PackedTexts, packTexts, TextColumn } from './packed-column.ts';

export interface LoadedIndex {
  readonly index: FileIndex;
  /** What it takes in memory, about. */
  readonly bytes: number;
}

const FORMAT = 1;
/** Far above what 100,000 files take; a bomb is refused. */
const DECODED_BYTES_MAX = 1024 ** 3;
/** Not known, known without NULLs, known with NULLs. */
const [UNKNOWN, WITHOUT_NULL, WITH_NULL] = [0, 1, 2];
const NO_GROUPS = -1;

interface StoredIndex extends Omit<FileIndex, 'files' | 'version'> {
  readonly format: number;
  readonly files: {
    readonly path: PackedTexts;
    readonly bytes: readonly number[];
    readonly version: PackedTexts;
    readonly variant: readonly number[];
    /** By partition column. */
    readonly partition: readonly PackedTexts[];
    /** Row groups of each file; -1 = not known. */
    readonly groups: readonly number[];
  };
  /** One after the other, file by file. */
  readonly groups: {
    readonly rows: readonly number[];
    readonly bytes: readonly number[];
    /** By range column. */
    readonly ranges: readonly { readonly state: readonly number[]; readonly min: PackedTexts; readonly max: PackedTexts }[];
  };
}

/** Equal content has equal versions, whenever it was indexed. */
export async function encodeIndex(index: Omit<FileIndex, 'version'>): Promise<{ readonly content: Uint8Array; readonly version: string }> {
  const stored = toColumns(index);
  const { indexedAtMs: _, ...content } = stored;
  const version = createHash('sha256').update(JSON.stringify(content)).digest('hex');
  return { content: await promisify(gzip)(JSON.stringify({ ...stored, version }), { level: 3 }), version };
}

/** Rejects when the bytes are no index of this format. */
export async function decodeIndex(content: Uint8Array): Promise<LoadedIndex> {
  const text = (await promisify(gunzip)(content, { maxOutputLength: DECODED_BYTES_MAX })).toString('utf8');
  const stored = JSON.parse(text) as StoredIndex & { readonly version: string };
  if (stored.format !== FORMAT) throw new Error(`its format is ${String(stored.format)}, not ${FORMAT}`);
  const columns = new IndexColumns(stored);
  const { dataset, source, version, indexedAtMs, partitionColumns, rangeColumns, variants } = stored;
  const files = Array.from(stored.files.bytes, (_, at) => new ColumnarFile(columns, at));
  return {
    index: { dataset, source, version, indexedAtMs, partitionColumns, rangeColumns, variants, files },
    bytes: columns.bytes + 48 * files.length,
  };
}

function toColumns({ files, partitionColumns, rangeColumns, ...rest }: Omit<FileIndex, 'version'>): StoredIndex {
  const groups = files.flatMap(({ rowGroups }) => rowGroups ?? []);
  return {
    format: FORMAT,
    dataset: rest.dataset,
    source: rest.source,
    indexedAtMs: rest.indexedAtMs,
    partitionColumns,
    rangeColumns,
    variants: rest.variants,
    files: {
      path: packTexts(files.map(({ path }) => path)),
      bytes: files.map(({ bytes }) => bytes),
      version: packTexts(files.map(({ version }) => version)),
      variant: files.map(({ variant }) => variant),
      partition: partitionColumns.map((_, column) => packTexts(files.map(({ partition }) => partition[column] ?? null))),
      groups: files.map(({ rowGroups }) => rowGroups?.length ?? NO_GROUPS),
    },
    groups: {
      rows: groups.map(({ rows }) => rows),
      bytes: groups.map(({ bytes }) => bytes),
      ranges: rangeColumns.map((_, column) => rangesOf(groups.map(({ ranges }) => ranges[column] ?? null))),
    },
  };
}

function rangesOf(ranges: readonly (ValueRange | null)[]): StoredIndex['groups']['ranges'][number] {
  return {
    state: ranges.map((range) => (range === null ? UNKNOWN : range.hasNull ? WITH_NULL : WITHOUT_NULL)),
    min: packTexts(ranges.map((range) => range?.min ?? null)),
    max: packTexts(ranges.map((range) => range?.max ?? null)),
  };
}

/** The columns of all files and row groups. The constructor throws when they do not fit together. */
class IndexColumns {
  readonly path: TextColumn;
  readonly fileBytes: CountColumn;
  readonly version: TextColumn;
  readonly variant: CountColumn;
  readonly partition: readonly TextColumn[];
  readonly groups: CountColumn;
  /** Number of a file's first row group. */
  readonly firstGroup: Uint32Array;
  readonly rows: CountColumn;
  readonly groupBytes: CountColumn;
  readonly ranges: readonly { readonly state: Uint8Array; readonly min: TextColumn; readonly max: TextColumn }[];
  readonly bytes: number;

  constructor({ files, groups, partitionColumns, rangeColumns, variants }: StoredIndex) {
    this.path = new TextColumn(files.path);
    this.fileBytes = new CountColumn(files.bytes);
    this.version = new TextColumn(files.version);
    this.variant = new CountColumn(files.variant);
    this.partition = files.partition.map((texts) => new TextColumn(texts));
    this.groups = new CountColumn(files.groups);
    this.firstGroup = firstGroups(files.groups);
    this.rows = new CountColumn(groups.rows);
    this.groupBytes = new CountColumn(groups.bytes);
    this.ranges = groups.ranges.map(({ state, min, max }) => ({
      state: Uint8Array.from(state),
      min: new TextColumn(min),
      max: new TextColumn(max),
    }));
    const ofFiles = [this.path, this.fileBytes, this.version, this.variant, ...this.partition, this.groups];
    const ofGroups = [this.rows, this.groupBytes, ...this.ranges.flatMap(({ min, max }) => [min, max])];
    const groupCount = (this.firstGroup.at(-1) ?? 0) + Math.max(files.groups.at(-1) ?? 0, 0);
    const whole =
      ofFiles.every(({ length }) => length === files.bytes.length) &&
      ofGroups.every(({ length }) => length === groupCount) &&
      this.ranges.every(({ state }) => state.length === groupCount) &&
      this.partition.length === partitionColumns.length &&
      this.ranges.length === rangeColumns.length &&
      files.variant.every((variant) => variant in variants);
    if (!whole) throw new Error('its columns do not fit together');
    this.bytes = [...ofFiles, ...ofGroups].reduce((sum, column) => sum + column.bytes, this.firstGroup.byteLength);
  }

  rowGroup(group: number): RowGroup {
    const ranges = this.ranges.map(({ state, min, max }): ValueRange | null =>
      state[group] === UNKNOWN ? null : { min: min.at(group), max: max.at(group), hasNull: state[group] === WITH_NULL },
    );
    return { rows: this.rows.at(group), bytes: this.groupBytes.at(group), ranges };
  }
}

/** Made of the columns when it is looked at. */
class ColumnarFile implements IndexedFile {
  readonly #columns: IndexColumns;
  readonly #at: number;

  constructor(columns: IndexColumns, at: number) {
    this.#columns = columns;
    this.#at = at;
  }

  get path(): string {
    return this.#columns.path.at(this.#at) ?? '';
  }

  get bytes(): number {
    return this.#columns.fileBytes.at(this.#at);
  }

  get version(): string {
    return this.#columns.version.at(this.#at) ?? '';
  }

  get variant(): number {
    return this.#columns.variant.at(this.#at);
  }

  get partition(): readonly (string | null)[] {
    return this.#columns.partition.map((column) => column.at(this.#at));
  }

  get rowGroups(): readonly RowGroup[] | null {
    const length = this.#columns.groups.at(this.#at);
    if (length === NO_GROUPS) return null;
    const first = this.#columns.firstGroup[this.#at] ?? 0;
    return Array.from({ length }, (_, i) => this.#columns.rowGroup(first + i));
  }
}

function firstGroups(counts: readonly number[]): Uint32Array {
  const first = new Uint32Array(counts.length);
  let next = 0;
  for (const [at, count] of counts.entries()) {
    first[at] = next;
    next += Math.max(count, 0);
  }
  return first;
}
