/**
 * What a running query may use: time, result bytes, a client's patience. Counted over all streams of a query, because
 * clients open them together and read one after the other: a late stream is idle while an earlier one is read.
 */
import { type ErrorCode, SluiceError } from '../errors.ts';
import type { BatchSource, EncodedBatch } from '../model.ts';

export interface QueryLimitSettings {
  /** Longest run of a query, from its place to the end of its last stream. */
  readonly queryMs: number;
  /** Longest time in which nothing is computed and no batch is taken. */
  readonly idleMs: number;
  readonly resultBytesMax: number;
  /** Told for each stream: how long its first batch took. */
  readonly onFirstBatch?: (ms: number) => void;
}

/** One stream of a query, or a command. */
export interface LimitedRun {
  /** Fires when the caller's own signal fires or a limit ends the query. */
  readonly signal: AbortSignal;
  /** The same rows, counted. Its `next` rejects with limit.result. */
  count(source: BatchSource): BatchSource;
  /** Call on every exit. */
  end(): void;
}

export interface QueryLimits {
  start(queryId: string, signal: AbortSignal): LimitedRun;
  /** The process grew by so many bytes: those that compute now share the blame. */
  blame(bytes: number): void;
  /** Ends the query that took most of the memory when that can be told, else the one that began last; false when none runs. */
  endOne(reason: (which: 'largest' | 'newest') => SluiceError): boolean;
  running(): number;
}

export function createQueryLimits(settings: QueryLimitSettings): QueryLimits {
  // In order of their beginning.
  const accounts = new Map<string, Account>();
  return {
    start: (queryId, signal) => {
      const account = accounts.get(queryId) ?? new Account(settings);
      accounts.set(queryId, account);
      const run = account.join();
      const end = (): void => {
        if (account.leave(run)) accounts.delete(queryId);
      };
      return { signal: AbortSignal.any([signal, run.controller.signal]), count: (source) => account.count(source, run), end };
    },
    blame: (bytes) => {
      const computing = [...accounts.values()].filter(({ isComputing }) => isComputing);
      for (const account of computing) account.blamed += bytes / computing.length;
    },
    endOne: (reason) => {
      const running = [...accounts.values()].filter(({ ended }) => ended === null);
      const largest = largestOf(running);
      (largest ?? running.at(-1))?.stop(reason(largest === undefined ? 'newest' : 'largest'));
      return running.length > 0;
    },
    running: () => accounts.size,
  };
}

/** The one that took more than all others together. */
function largestOf(accounts: readonly Account[]): Account | undefined {
  const total = accounts.reduce((sum, { blamed }) => sum + blamed, 0);
  return accounts.find(({ blamed }) => blamed > total / 2);
}

interface Run {
  readonly controller: AbortController;
  readonly startedMs: number;
  /** Until there is a result to read. */
  working: boolean;
}

/** All streams of one query. */
class Account {
  readonly #settings: QueryLimitSettings;
  readonly #runs = new Set<Run>();
  readonly #deadline: NodeJS.Timeout;
  #patience: NodeJS.Timeout;
  /** Runs that wait for the engine rather than for their client. */
  #computing = 0;
  #activeMs = performance.now();
  #bytes = 0;
  /** Why the query was ended. */
  ended: SluiceError | null = null;
  /** Bytes that the process grew by while this query computed, shared with those that did so too. */
  blamed = 0;

  constructor(settings: QueryLimitSettings) {
    this.#settings = settings;
    const { queryMs, idleMs } = settings;
    this.#deadline = setTimeout(() => {
      this.stop(exceeded('limit.time', `the query ran for ${seconds(queryMs)}, the longest it may; ask for less, or in parts`));
    }, queryMs);
    this.#patience = setTimeout(() => this.#checkPatience(), idleMs);
  }

  get isComputing(): boolean {
    return this.#computing > 0;
  }

  join(): Run {
    const run: Run = { controller: new AbortController(), startedMs: performance.now(), working: true };
    this.#runs.add(run);
    this.#computing++;
    return run;
  }

  /** True when this was the last one. */
  leave(run: Run): boolean {
    this.#worked(run);
    this.#runs.delete(run);
    if (this.#runs.size > 0) return false;
    clearTimeout(this.#deadline);
    clearTimeout(this.#patience);
    return true;
  }

  stop(reason: SluiceError): void {
    this.ended ??= reason;
    for (const { controller } of this.#runs) controller.abort(reason);
  }

  count(source: BatchSource, run: Run): BatchSource {
    this.#worked(run);
    let first = true;
    return {
      schemaHeader: source.schemaHeader,
      next: async () => {
        this.#computing++;
        try {
          const batch = await source.next();
          if (first) this.#settings.onFirstBatch?.(performance.now() - run.startedMs);
          first = false;
          return batch === null ? null : this.#charge(batch);
        } catch (error) {
          // What the engine says then only follows from it.
          throw this.ended ?? error;
        } finally {
          this.#computing--;
          this.#activeMs = performance.now();
        }
      },
      [Symbol.asyncDispose]: () => source[Symbol.asyncDispose](),
    };
  }

  #worked(run: Run): void {
    if (run.working) this.#computing--;
    run.working = false;
    this.#activeMs = performance.now();
  }

  #charge(batch: EncodedBatch): EncodedBatch {
    this.#bytes += batch.header.length + batch.body.length;
    const { resultBytesMax } = this.#settings;
    if (this.#bytes > resultBytesMax) {
      batch.release();
      const reason = exceeded(
        'limit.result',
        `the result is larger than ${resultBytesMax} bytes, the most a query may return; ask for less`,
      );
      this.stop(reason);
      throw reason;
    }
    return {
      header: batch.header,
      body: batch.body,
      rows: batch.rows,
      release: () => {
        this.#activeMs = performance.now();
        batch.release();
      },
    };
  }

  #checkPatience(): void {
    const { idleMs } = this.#settings;
    const idle = this.#computing > 0 ? 0 : performance.now() - this.#activeMs;
    if (idle >= idleMs) this.stop(exceeded('limit.idle', `nothing of the result was read for ${seconds(idleMs)}; run the query again`));
    else this.#patience = setTimeout(() => this.#checkPatience(), Math.max(1, idleMs - idle));
  }
}

function exceeded(code: ErrorCode, message: string): SluiceError {
  return new SluiceError(code, message);
}

function seconds(ms: number): string {
  return `${ms / 1000} s`;
}
