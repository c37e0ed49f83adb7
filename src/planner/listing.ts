/** The files of datasets without an index, as they are when a query is planned. Sizes are bytes. */
import { fail } from '../errors.ts';
import type { Connection, StoredFile } from '../files.ts';
import type { Dataset, Source } from '../model.ts';
import { parquetPattern } from '../sql/index.ts';

export interface ListingPorts {
  /** The files that a pattern means, in reading order, and no more than one above `max`. Rejects with storage.unavailable. */
  readonly list: (connections: readonly Connection[], pattern: string, max: number) => Promise<readonly StoredFile[]>;
  readonly now?: () => number;
}

/** Rejects with storage.unavailable, also when there is no file at all. */
export type ListFiles = (connections: readonly Connection[], dataset: Dataset) => Promise<readonly StoredFile[]>;

/** More files need an index. */
export const LISTED_MAX = 100_000;
/** Local lists up to this length are made anew for each plan. */
const CHEAP_FILES = 64;
/** Longer ones, and those of objects, stay so long: a new file is seen, and a changed one read again, after that. */
const LOCAL_KEPT_MS = 1000;
const OBJECTS_KEPT_MS = 2000;
const KEPT_MAX = 256;

interface Kept {
  readonly files: readonly StoredFile[];
  readonly untilMs: number;
}

export function createListing(ports: ListingPorts): ListFiles {
  const now = ports.now ?? Date.now;
  const kept = new Map<string, Kept>();
  const flight = createFlights<readonly StoredFile[]>();
  return async (connections, { source }) => {
    const { connection, pattern } = placeOf(source, connections);
    const key = JSON.stringify([connection, pattern]);
    const known = kept.get(key);
    if (known !== undefined && known.untilMs > now()) return known.files;
    return flight(key, async () => {
      const files = checked(await ports.list(connections, pattern, LISTED_MAX));
      const untilMs = now() + keptMs(connection, files);
      kept.delete(key);
      if (untilMs > now()) kept.set(key, { files, untilMs });
      for (const oldest of kept.keys()) if (kept.size > KEPT_MAX) kept.delete(oldest);
      return files;
    });
  };
}

function keptMs({ kind }: Connection, { length }: readonly StoredFile[]): number {
  if (kind === 's3') return OBJECTS_KEPT_MS;
  return length > CHEAP_FILES ? LOCAL_KEPT_MS : 0;
}

function placeOf(
  source: Source,
  connections: readonly Connection[],
): { readonly connection: Exclude<Connection, { kind: 'duckdb' }>; readonly pattern: string } {
  const connection = 'connection' in source ? connections.find(({ name }) => name === source.connection) : undefined;
  if (source.kind === 'view' || source.kind === 'duckdb' || connection === undefined || connection.kind === 'duckdb')
    return fail('storage.unavailable', 'a dataset of the query has no storage; ask the data steward');
  return { connection, pattern: source.kind === 'parquet' ? parquetPattern(source.path) : source.path };
}

function checked(files: readonly StoredFile[]): readonly StoredFile[] {
  // Storage that is not mounted must not look like data without rows.
  if (files.length === 0) fail('storage.unavailable', 'a dataset of the query has no files at present; ask the data steward');
  if (files.length > LISTED_MAX)
    fail('sql.limit', `a dataset of the query has more than ${LISTED_MAX} files and no index; ask the data steward to register it`);
  return files;
}

/** Who asks while one is under way waits for the next one, which begins after it asked: nobody gets a list older than the question. */
function createFlights<T>(): (key: string, work: () => Promise<T>) => Promise<T> {
  const running = new Map<string, Promise<T>>();
  const waiting = new Map<string, Promise<T>>();
  const start = (key: string, work: () => Promise<T>): Promise<T> => {
    const flight = work().finally(() => running.delete(key));
    running.set(key, flight);
    return flight;
  };
  return (key, work) => {
    const current = running.get(key);
    if (current === undefined) return start(key, work);
    const begin = (): Promise<T> => {
      waiting.delete(key);
      return start(key, work);
    };
    const next = waiting.get(key) ?? current.then(begin, begin);
    waiting.set(key, next);
    return next;
  };
}
