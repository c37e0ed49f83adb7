/** One face over every kind of storage: each path goes to the connection that it lies below. */
import { stat } from 'node:fs/promises';
import { fail, SluiceError, STORAGE_FAULTS } from '../errors.ts';
import { objectPlace } from '../file-paths.ts';
import type { Connection, S3Connection, StoredFile } from '../files.ts';
import { type CredentialCache, createCredentialCache } from './credential-cache.ts';
import { storageError } from './faults.ts';
import { readGlob } from './glob.ts';
import { statFiles } from './local.ts';
import { S3Store } from './s3.ts';
import { credentialResolver } from './s3-credentials.ts';
import type { Storage, StorageOptions } from './types.ts';

/** Of connections that are in no catalog any more, some are kept: another policy set may name them again. */
const STORES_MAX = 64;

interface Opened {
  readonly store: S3Store;
  readonly cache: CredentialCache;
}

export function createStorage(given: StorageOptions): Storage {
  const counts = { renewals: 0, failures: 0 };
  const options: StorageOptions = {
    ...given,
    onCredentials: (event) => {
      counts[event.outcome === 'renewed' ? 'renewals' : 'failures']++;
      given.onCredentials?.(event);
    },
  };
  const stores = new Map<string, Opened>();
  const opened = (connection: S3Connection): Opened => {
    const key = JSON.stringify(connection);
    const known = stores.get(key) ?? open(connection, options);
    stores.delete(key);
    stores.set(key, known);
    for (const [oldest, { store }] of stores) {
      if (stores.size <= STORES_MAX) break;
      stores.delete(oldest);
      store[Symbol.dispose]();
    }
    return known;
  };
  const storeOf = (connection: S3Connection): S3Store => opened(connection).store;
  const now = (connections: readonly Connection[], paths: readonly string[]): Promise<readonly StoredFile[]> =>
    statAll(connections, paths, storeOf);
  return {
    list: async (connections, pattern, listing) => {
      const key = keyOf(pattern);
      if (key !== null) return storeOf(connectionOf(connections, pattern)).list(key, listing);
      const { matches } = readGlob(pattern);
      const paths = await options.glob(connections, pattern, listing.max + 1);
      listing.onProgress?.(paths.length);
      return statFiles(matches === null ? paths : paths.filter(matches));
    },
    stat: now,
    verify: async (connections, files) => {
      const found = await now(
        connections,
        files.map(({ path }) => path),
      );
      if (files.some(({ version }, index) => found[index]?.version !== version))
        fail('storage.unavailable', 'the data changed since this query was planned; run it again');
    },
    credentials: async (connection) => {
      try {
        return await opened(connection).cache.get();
      } catch (error) {
        throw storageError(error);
      }
    },
    reachable: (connection) => (connection.kind === 's3' ? storeOf(connection).reachable() : placeIsThere(connection)),
    stats: () => ({ ...counts }),
    [Symbol.dispose]: () => {
      for (const { store } of stores.values()) store[Symbol.dispose]();
      stores.clear();
    },
  };
}

function open(connection: S3Connection, { openSecret, now = Date.now, onCredentials = () => {} }: StorageOptions): Opened {
  const resolve = credentialResolver(connection, openSecret);
  const cache = createCredentialCache({
    resolve: async () => ({ ...(await resolve()), region: await store.region() }),
    now,
    onOutcome: (outcome, cause) =>
      onCredentials({ connection: connection.name, outcome, cause: cause instanceof SluiceError ? cause.cause : cause }),
  });
  const store = new S3Store(connection, cache);
  return { store, cache };
}

/** In the order of `paths`. */
async function statAll(
  connections: readonly Connection[],
  paths: readonly string[],
  storeOf: (connection: S3Connection) => S3Store,
): Promise<readonly StoredFile[]> {
  const groups = new Map<S3Connection | null, string[]>();
  for (const path of paths) {
    const connection = keyOf(path) === null ? null : connectionOf(connections, path);
    const group = groups.get(connection) ?? [];
    groups.set(connection, group);
    group.push(path);
  }
  const found = new Map<string, StoredFile>();
  for (const [connection, group] of groups) {
    const files = connection === null ? await statFiles(group) : await storeOf(connection).stat(group.map((path) => keyOf(path) ?? ''));
    for (const file of files) found.set(file.path, file);
  }
  return paths.flatMap((path) => found.get(path) ?? []);
}

/** null = no object. */
function keyOf(path: string): string | null {
  return /^s3:\/\/[^/]+\/(.*)$/s.exec(path)?.[1] ?? null;
}

/** The longest place wins, as the engine has it with its secrets. */
function connectionOf(connections: readonly Connection[], path: string): S3Connection {
  let found: S3Connection | null = null;
  for (const connection of connections) {
    if (connection.kind !== 's3' || !path.startsWith(objectPlace(connection))) continue;
    if (found === null || connection.prefix.length > found.prefix.length) found = connection;
  }
  return found ?? fail('storage.unavailable', STORAGE_FAULTS.other, new Error('a path lies below none of the connections'));
}

async function placeIsThere(connection: Exclude<Connection, S3Connection>): Promise<void> {
  try {
    await stat(connection.kind === 'local' ? connection.directory : connection.file);
  } catch (error) {
    throw storageError(error);
  }
}
