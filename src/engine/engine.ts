/** The worker's instance: files of its connections only, everything else closed, settings locked. */
import { sep } from 'node:path';
import { fail, SluiceError } from '../errors.ts';
import type { Connection } from '../files.ts';
import { PLAIN_FORM, type PlanCatalog } from '../model.ts';
import { createBufferBudget } from './buffer-budget.ts';
import { bodyCodec } from './compression.ts';
import { ownStatementError, runtimeError } from './failures.ts';
import { createSchemaCache, readStatistics, type SchemaCache } from './file-statistics.ts';
import { type Host, openHost, useCatalog } from './host.ts';
import { fileCacheBytes, keepTable } from './kept-tables.ts';
import { emptySecrets, explainSetup, objectPlaces, objectStoreSetup, secretStatement } from './object-store.ts';
import { quoteIdentifier, quoteText } from './quoting.ts';
import { createSlotPool } from './slots.ts';
import { openStream } from './stream.ts';
import { openTemporary, type Temporary } from './temporary.ts';
import type { Engine, EngineOptions } from './types.ts';

/** Plan catalogs kept attached; each holds views only. */
const CATALOGS = 128;
/** Share of the memory limit that open streams may buffer. */
const BUFFER_SHARE = 4;

/** Rejects with storage.unavailable when a connection does not open, otherwise server.internal. */
export async function createEngine(options: EngineOptions): Promise<Engine> {
  const temporary = await openTemporary(options.tempDirectory, 'engine');
  try {
    const objects = await objectStoreSetup(options.connections, options.extensions);
    const setup = sandboxSetup({ ...options, tempDirectory: temporary.directory });
    const host = await openHost({
      setup: [...objects, ...setup],
      threads: options.engineThreads,
      catalogLimit: CATALOGS,
      deadlineMs: null,
    });
    await host.query(emptySecrets(options.connections), null).catch(async (error: unknown) => {
      await host[Symbol.asyncDispose]();
      throw ownStatementError(error);
    });
    return new LockedEngine(host, options, temporary);
  } catch (error) {
    await temporary[Symbol.asyncDispose]();
    throw explainSetup(error, options.connections);
  }
}

class LockedEngine implements Engine {
  readonly #host: Host;
  readonly #options: EngineOptions;
  readonly #slots: ReturnType<typeof createSlotPool>;
  readonly #buffers: ReturnType<typeof createBufferBudget>;
  readonly #session: readonly string[];
  readonly #closing = new AbortController();
  readonly #streams = new Set<Promise<void>>();
  readonly #temporary: Temporary;
  readonly #schemas: SchemaCache = createSchemaCache();
  #connections = 0;

  constructor(host: Host, options: EngineOptions, temporary: Temporary) {
    this.#host = host;
    this.#temporary = temporary;
    this.#options = options;
    this.#slots = createSlotPool(options.batchBytes);
    this.#buffers = createBufferBudget(options.memoryLimitBytes / BUFFER_SHARE, options.streamingBufferBytes);
    this.#session = Object.entries(options.variables).map(([name, value]) => `SET VARIABLE ${quoteIdentifier(name)} = ${quoteText(value)}`);
  }

  readonly run: Engine['run'] = async (catalog, sql, signal, form = PLAIN_FORM) => {
    if (signal.aborted) fail('request.cancelled', 'the request was cancelled', signal.reason);
    bodyCodec(form.compression);
    const ended = AbortSignal.any([signal, this.#closing.signal]);
    const held = await this.#hold(catalog, ended);
    const connection = this.#host.connect();
    const buffer = this.#buffers.take();
    let onClosed: () => void = () => {};
    const closed = new Promise<void>((resolve) => {
      onClosed = resolve;
    });
    this.#streams.add(closed);
    this.#connections++;
    const setup = [useCatalog(catalog), ...this.#session, `SET streaming_buffer_size = '${buffer.bytes}B'`];
    return await openStream(connection, setup, sql, {
      threads: this.#host.threads,
      slots: this.#slots,
      window: this.#options.streamWindow,
      form,
      signal: ended,
      onClosed: () => {
        this.#connections--;
        buffer.release();
        held.release();
        this.#streams.delete(closed);
        onClosed();
      },
    });
  };

  readonly copyTo: Engine['copyTo'] = async (catalog, job, signal) => {
    const ended = AbortSignal.any([signal, this.#closing.signal]);
    const held = await this.#hold(catalog, ended);
    const setup = [useCatalog(catalog), ...this.#session];
    try {
      return await this.#ending(this.#host.runLong<'copy'>(ended, (connection) => ({ kind: 'copy', connection, setup, ...job })));
    } catch (error) {
      throw runtimeError(error);
    } finally {
      held.release();
    }
  };

  /** Not after the end: an engine that closes waits for what runs, and then has no database. */
  async #hold(catalog: PlanCatalog, ended: AbortSignal): Promise<{ release(): void }> {
    const cancelled = (): never => fail('request.cancelled', 'the request was cancelled', ended.reason);
    const held = await this.#host.catalogs.hold(catalog).catch((error: unknown) => {
      if (ended.aborted) cancelled();
      throw ownStatementError(error);
    });
    if (!ended.aborted) return held;
    held.release();
    return cancelled();
  }

  /** The engine closes after it. */
  async #ending<T>(work: Promise<T>): Promise<T> {
    const settled = work.then(
      () => {},
      () => {},
    );
    this.#streams.add(settled);
    try {
      return await work;
    } finally {
      this.#streams.delete(settled);
    }
  }

  readonly columns: Engine['columns'] = async (relation) => {
    try {
      const rows = await this.#host.query([], `SELECT column_name, column_type FROM (DESCRIBE SELECT * FROM ${relation})`);
      return rows.map(([name, type]) => ({ name: name ?? '', type: type ?? '' }));
    } catch (error) {
      throw ownStatementError(error);
    }
  };

  readonly files: Engine['files'] = async (pattern, max) => {
    try {
      const rows = await this.#host.query([], `SELECT file FROM glob(${quoteText(pattern)}) LIMIT ${Math.floor(max)}`);
      return rows.map(([file]) => file ?? '');
    } catch (error) {
      throw ownStatementError(error);
    }
  };

  readonly keep: Engine['keep'] = (name, select, signal) =>
    this.#ending(keepTable(this.#host, name, select, AbortSignal.any([signal, this.#closing.signal])));

  readonly fileCache: Engine['fileCache'] = () => fileCacheBytes(this.#host);

  readonly authorize: Engine['authorize'] = async (connection, credentials) => {
    try {
      await this.#host.query([secretStatement(connection, credentials)], null);
    } catch {
      // Whatever DuckDB says may repeat the statement.
      throw new SluiceError('server.internal', 'internal error', new Error(`the engine takes no credentials for ${connection.name}`));
    }
  };

  readonly fileStatistics: Engine['fileStatistics'] = async (paths) => {
    try {
      return await readStatistics(paths, this.#schemas, { query: (sql) => this.#host.query([], sql), columns: this.columns });
    } catch (error) {
      throw ownStatementError(error);
    }
  };

  readonly stats: Engine['stats'] = () => {
    const { threads, queued, running } = this.#host.threads.stats();
    const { hits, misses } = this.#host.catalogs.uses();
    return {
      openStreams: this.#streams.size,
      connections: this.#connections,
      ...this.#slots.stats(),
      threads,
      runningJobs: running,
      queuedJobs: queued,
      catalogs: this.#host.catalogs.size(),
      catalogHits: hits,
      catalogMisses: misses,
    };
  };

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort(new Error('the engine closes'));
    await Promise.all(this.#streams);
    this.#slots.clear();
    await this.#host[Symbol.asyncDispose]();
    await this.#temporary[Symbol.asyncDispose]();
  }
}

function sandboxSetup(options: EngineOptions): string[] {
  const local = options.connections.flatMap((connection) => (connection.kind === 'local' ? [withSlash(connection.directory)] : []));
  const directories = [...local, ...objectPlaces(options.connections)];
  return [
    `SET memory_limit = '${options.memoryLimitBytes}B'`,
    `SET threads = ${options.threads}`,
    `SET temp_directory = ${quoteText(options.tempDirectory)}`,
    `SET max_temp_directory_size = '${options.tempLimitBytes}B'`,
    ...FILE_CACHES,
    ...options.connections.flatMap(attach),
    `SET allowed_directories = [${directories.map(quoteText).join(', ')}]`,
  ];
}

/**
 * Byte ranges, Parquet footers among them, stay in the buffer pool, which evicts them when a query needs the memory. Each opening of a file asks for
 * its ETag, or time of change, first: a replaced object is never read from the cache.
 */
const FILE_CACHES: readonly string[] = ['SET enable_external_file_cache = true', "SET validate_external_file_cache = 'VALIDATE_ALL'"];

function attach(connection: Connection): string[] {
  if (connection.kind !== 'duckdb') return [];
  return [`ATTACH ${quoteText(connection.file)} AS ${quoteIdentifier(`src_${connection.name}`)} (TYPE duckdb, READ_ONLY)`];
}

/** Without it a sibling directory with the same beginning would be allowed too. */
function withSlash(directory: string): string {
  return directory.endsWith(sep) ? directory : directory + sep;
}
