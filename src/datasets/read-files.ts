/** What is in each file: columns and, of Parquet files, row groups. Files are read in batches, few at a time. */
import type { ColumnInfo, Engine, FileStatistics } from '../engine/index.ts';
import { SluiceError, toSluiceError } from '../errors.ts';
import type { FileFormat } from '../files.ts';
import { inParallel } from '../storage/index.ts';
import { csvRelation, jsonRelation } from './relations.ts';

export interface ReadFile {
  readonly columns: readonly ColumnInfo[];
  /** null = not known. */
  readonly rowGroups: FileStatistics['rowGroups'] | null;
}

type Reader = Pick<Engine, 'columns' | 'fileStatistics'>;

const BATCH = 500;
const AT_ONCE = 2;
/** JSON files that tell the columns of all; what others have beside them is not seen. */
const JSON_SAMPLE = 100;

interface ReadOptions {
  readonly signal: AbortSignal;
  readonly onRead: (done: number) => void;
}

/** In the order of `paths`. Rejects with dataset.invalid when one is not of the format, storage.unavailable, request.cancelled. */
export async function readFiles(
  engine: Reader,
  format: FileFormat,
  paths: readonly string[],
  options: ReadOptions,
): Promise<readonly ReadFile[]> {
  try {
    return await READERS[format](engine, paths, options);
  } catch (error) {
    if (options.signal.aborted) throw options.signal.reason;
    const failure = toSluiceError(error);
    if (failure.code !== 'server.internal') throw failure;
    throw new SluiceError('dataset.invalid', `a file of the dataset can not be read as ${format}; the log says which`, failure.cause);
  }
}

type ReadAll = (engine: Reader, paths: readonly string[], options: ReadOptions) => Promise<readonly ReadFile[]>;

const READERS: Readonly<Record<FileFormat, ReadAll>> = {
  parquet: (engine, paths, options) => inBatches(paths, BATCH, options, (batch) => engine.fileStatistics(batch)),
  // The header says which columns a file has.
  csv: (engine, paths, options) =>
    inBatches(paths, 1, options, async (batch) => [{ columns: await engine.columns(csvRelation(batch)), rowGroups: null }]),
  json: async (engine, paths, { onRead }) => {
    if (paths.length === 0) return [];
    const columns = await engine.columns(jsonRelation(paths.slice(0, JSON_SAMPLE)));
    onRead(paths.length);
    return paths.map(() => ({ columns, rowGroups: null }));
  },
};

async function inBatches(
  paths: readonly string[],
  size: number,
  { signal, onRead }: ReadOptions,
  read: (batch: readonly string[]) => Promise<readonly ReadFile[]>,
): Promise<readonly ReadFile[]> {
  const batches = Array.from({ length: Math.ceil(paths.length / size) }, (_, at) => paths.slice(at * size, (at + 1) * size));
  let done = 0;
  const results = await inParallel(batches, AT_ONCE, async (batch) => {
    signal.throwIfAborted();
    const files = await read(batch);
    done += batch.length;
    onRead(done);
    return files;
  });
  return results.flat();
}
