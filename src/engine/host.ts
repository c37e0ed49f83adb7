/** One locked in-memory database with its engine threads and plan catalogs: what analyzer and engine share. */

import type { PlanCatalog } from '../model.ts';
import { connect } from './database.ts';
import { type Address, api, destroy } from './duckdb-c.ts';
import { ownStatementError } from './failures.ts';
import { type Job, JobError, type JobResults } from './jobs.ts';
import { createLongJobs, type RunLong } from './long-jobs.ts';
import { createPlanCatalogs, type PlanCatalogs } from './plan-catalogs.ts';
import { quoteIdentifier } from './quoting.ts';
import { createThreadPool, type ThreadPool } from './thread-pool.ts';

export interface Host extends AsyncDisposable {
  /** The caller disconnects. Throws JobError once the host is closed: there is no database any more. */
  connect(): Address;
  readonly threads: ThreadPool;
  readonly catalogs: PlanCatalogs;
  /** Runs a job on a connection of its own. Rejects with JobError, at the latest when the host's deadline has passed. */
  run<K extends ConnectionJob['kind']>(make: (connection: Address) => Extract<ConnectionJob, { kind: K }>): Promise<JobResults[K]>;
  readonly runLong: RunLong;
  /** Runs `setup`, then reads all of `sql` as text. Rejects with JobError. */
  query(setup: readonly string[], sql: string | null, parameters?: readonly string[]): Promise<readonly (readonly (string | null)[])[]>;
}

type ConnectionJob = Extract<Job, { kind: 'query' | 'describe' | 'parameters' }>;

export interface HostOptions {
  /** Run before the lock. */
  readonly setup: readonly string[];
  readonly threads: number;
  /** Plan catalogs kept attached. */
  readonly catalogLimit: number;
  /** Most time that one job may take before it is interrupted; null = none. */
  readonly deadlineMs: number | null;
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
  let closed = false;
  const connectTo = (): Address => {
    if (closed) throw new JobError({ kind: 'fault', text: 'the engine is closed' });
    return connect(database);
  };
  const run: Host['run'] = (make) => runOnConnection(threads, connectTo, options.deadlineMs, make);
  const query: Host['query'] = (before, sql, parameters = []) =>
    run<'query'>((connection) => ({ kind: 'query', connection, setup: before, sql, parameters }));
  return {
    connect: connectTo,
    threads,
    catalogs: createPlanCatalogs((statements) => query(statements, null), options.catalogLimit),
    run,
    runLong: createLongJobs(threads, connectTo, options.threads),
    query,
    [Symbol.asyncDispose]: async () => {
      // What waited for a thread before still runs.
      await threads.run(() => {
        closed = true;
        return { kind: 'closeDatabase', database };
      });
      await threads[Symbol.asyncDispose]();
    },
  };
}

const INTERRUPT_MS = 20;

/** The engine looks at an interrupt between some steps only, so the caller does not wait for it. */
async function runOnConnection<K extends ConnectionJob['kind']>(
  threads: ThreadPool,
  connectTo: () => Address,
  deadlineMs: number | null,
  make: (connection: Address) => Extract<ConnectionJob, { kind: K }>,
): Promise<JobResults[K]> {
  let connection: Address = 0;
  let interrupting: NodeJS.Timeout | undefined;
  return await new Promise((resolve, reject) => {
    const notify = (): void => {
      interrupting = setInterval(() => api.interrupt(connection), INTERRUPT_MS);
      reject(new JobError({ kind: 'deadline' }));
    };
    threads
      .run<K>(
        () => {
          connection = connectTo();
          return make(connection);
        },
        deadlineMs === null ? {} : { overdue: { ms: deadlineMs, notify } },
      )
      .finally(() => {
        clearInterval(interrupting);
        destroy(api.disconnect, connection);
      })
      .then(resolve, reject);
  });
}

export function useCatalog(catalog: PlanCatalog): string {
  return `USE ${quoteIdentifier(catalog.name)}.${quoteIdentifier(catalog.defaultSchema)}`;
}
