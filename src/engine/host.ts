/** One locked in-memory database with its engine threads and plan catalogs: what analyzer and engine share. */
import type { PlanCatalog } from '../model.ts';
import type { Address } from './duckdb-c.ts';
import { ownStatementError } from './failures.ts';
import { createPlanCatalogs, type PlanCatalogs } from './plan-catalogs.ts';
import { quoteIdentifier } from './quoting.ts';
import { createThreadPool, type ThreadPool } from './thread-pool.ts';

export interface Host extends AsyncDisposable {
  readonly database: Address;
  readonly threads: ThreadPool;
  readonly catalogs: PlanCatalogs;
  /** Runs `setup`, then reads all of `sql` as text. Rejects with JobError. */
  query(setup: readonly string[], sql: string | null, parameters?: readonly string[]): Promise<readonly (readonly (string | null)[])[]>;
}

export interface HostOptions {
  /** Run before the lock. */
  readonly setup: readonly string[];
  readonly threads: number;
  /** Plan catalogs kept attached. */
  readonly catalogLimit: number;
}

/** No extension arrives unasked and nothing can be set any more. */
const LOCK: readonly string[] = [
  'SET allow_community_extensions = false',
  'SET autoinstall_known_extensions = false',
  'SET autoload_known_extensions = false',
  'SET allow_persistent_secrets = false',
  "SET allowed_configs = ['streaming_buffer_size']",
  'SET enable_external_access = false',
  'SET lock_configuration = true',
];

export async function openHost(options: HostOptions): Promise<Host> {
  const threads = createThreadPool(options.threads);
  const setup = ["SET GLOBAL TimeZone = 'UTC'", ...options.setup, ...LOCK];
  let database: Address;
  try {
    database = await threads.run(() => ({ kind: 'openDatabase', setup }));
  } catch (error) {
    await threads[Symbol.asyncDispose]();
    throw ownStatementError(error);
  }
  const query: Host['query'] = (before, sql, parameters = []) =>
    threads.run(() => ({ kind: 'query', database, setup: before, sql, parameters }));
  return {
    database,
    threads,
    catalogs: createPlanCatalogs((statements) => query(statements, null), options.catalogLimit),
    query,
    [Symbol.asyncDispose]: async () => {
      await threads.run(() => ({ kind: 'closeDatabase', database }));
      await threads[Symbol.asyncDispose]();
    },
  };
}

export function useCatalog(catalog: PlanCatalog): string {
  return `USE ${quoteIdentifier(catalog.name)}.${quoteIdentifier(catalog.defaultSchema)}`;
}
