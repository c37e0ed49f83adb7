/** Jobs that may take minutes: interrupted by a signal, and never so many at once that streams wait for a thread. */
import { SluiceError } from '../errors.ts';
import { type Address, api, destroy } from './duckdb-c.ts';
import type { Job, JobResults } from './jobs.ts';
import type { ThreadPool } from './thread-pool.ts';

type LongKind = 'copy' | 'query';
type MakeJob<K extends LongKind> = (connection: Address) => Extract<Job, { kind: K }>;

/** Rejects with JobError or request.cancelled; `make` gets a connection of the job's own. */
export type RunLong = <K extends LongKind>(signal: AbortSignal, make: MakeJob<K>) => Promise<JobResults[K]>;

/** DuckDB forgets an interrupt that comes before the statement has started: repeat until the job is back. */
const INTERRUPT_MS = 20;
/** After which another thread stands in for the job's own. */
const LONG_MS = 100;

/** At most `limit` run, which is how many stand-ins the pool has; the others wait in order. */
export function createLongJobs(threads: ThreadPool, connect: () => Address, limit: number): RunLong {
  const waiting: (() => void)[] = [];
  let running = 0;
  const turn = async (): Promise<void> => {
    if (running >= limit) await new Promise<void>((resolve) => waiting.push(resolve));
    else running++;
  };
  const next = (): void => {
    const following = waiting.shift();
    if (following === undefined) running--;
    else following();
  };
  return async (signal, make) => {
    await turn();
    try {
      return await run(threads, connect, signal, make);
    } finally {
      next();
    }
  };
}

async function run<K extends LongKind>(
  threads: ThreadPool,
  connect: () => Address,
  signal: AbortSignal,
  make: MakeJob<K>,
): Promise<JobResults[K]> {
  let connection: Address = 0;
  let interrupting: NodeJS.Timeout | undefined;
  const cancelled = (): SluiceError => new SluiceError('request.cancelled', 'the request was cancelled', signal.reason);
  const interrupt = (): void => {
    interrupting = setInterval(() => connection !== 0 && api.interrupt(connection), INTERRUPT_MS);
  };
  const start = (): Extract<Job, { kind: K }> => {
    if (signal.aborted) throw cancelled();
    connection = connect();
    return make(connection);
  };
  signal.addEventListener('abort', interrupt, { once: true });
  try {
    return await threads.run<K>(start, { overdue: { ms: LONG_MS, notify: () => {} } });
  } catch (error) {
    throw signal.aborted ? cancelled() : error;
  } finally {
    signal.removeEventListener('abort', interrupt);
    clearInterval(interrupting);
    destroy(api.disconnect, connection);
  }
}
