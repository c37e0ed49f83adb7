/**
 * Who may run now: a bounded number of queries in total and per principal, the rest waits in a bounded queue.
 * Fair: principals take turns, the queries of one principal go in order. The streams of one query share its place,
 * because clients open every endpoint at once and read them in order: a stream that waits for a place held by an
 * earlier one of the same query would wait for ever.
 */
import { fail, SluiceError } from '../errors.ts';

export interface AdmissionLimits {
  /** Most queries that run at once, of everybody and of one principal. */
  readonly running: number;
  readonly runningPerPrincipal: number;
  readonly waiting: number;
  readonly waitingPerPrincipal: number;
  readonly waitMs: number;
  /** Most streams that share one query's place. */
  readonly streamsPerQuery: number;
}

export interface AdmissionOptions extends AdmissionLimits {
  /** What a place is for, plural, as errors name it: `queries`. */
  readonly noun: string;
  /** A reason to let nobody in just now; asked when a query arrives, not when its turn comes. */
  readonly closed?: () => SluiceError | null;
  /** Told for each stream that was let in: how long it waited. */
  readonly onAdmitted?: (waitedMs: number) => void;
}

/** A place held. Release it on every exit; further calls do nothing. */
export interface Permit {
  release(): void;
}

export interface Admission {
  /** Rejects with limit.busy when the queue is full or the wait too long, and with the signal's reason; nothing is held then. */
  admit(request: { readonly principal: string; readonly queryId: string }, signal: AbortSignal): Promise<Permit>;
  stats(): { readonly running: number; readonly waiting: number };
}

interface Query {
  readonly key: string;
  readonly principal: string;
  /** Holding the place or waiting for it. */
  streams: number;
  running: boolean;
  readonly waiters: Set<() => void>;
}

export function createAdmission(options: AdmissionOptions): Admission {
  return new FairAdmission(options);
}

class FairAdmission implements Admission {
  readonly #options: AdmissionOptions;
  readonly #queries = new Map<string, Query>();
  /** Principals with waiting queries; whose turn is next comes first. */
  readonly #queues = new Map<string, Set<Query>>();
  readonly #runningOf = new Map<string, number>();
  #running = 0;
  #waiting = 0;

  constructor(options: AdmissionOptions) {
    this.#options = options;
  }

  async admit(request: { readonly principal: string; readonly queryId: string }, signal: AbortSignal): Promise<Permit> {
    signal.throwIfAborted();
    const startedMs = performance.now();
    const query = this.#join(request.principal, request.queryId);
    const permit = { release: once(() => this.#leave(query)) };
    try {
      if (!query.running) await this.#turn(query, signal);
      signal.throwIfAborted();
    } catch (error) {
      permit.release();
      throw error;
    }
    this.#options.onAdmitted?.(performance.now() - startedMs);
    return permit;
  }

  stats(): { readonly running: number; readonly waiting: number } {
    return { running: this.#running, waiting: this.#waiting };
  }

  #join(principal: string, queryId: string): Query {
    const key = JSON.stringify([principal, queryId]);
    const query = this.#queries.get(key) ?? this.#enter(key, principal);
    const { streamsPerQuery } = this.#options;
    if (query.streams >= streamsPerQuery)
      fail('limit.busy', `${streamsPerQuery} streams of this query are open, the most for one query; read or close some of them`);
    query.streams++;
    return query;
  }

  #enter(key: string, principal: string): Query {
    const reason = this.#options.closed?.();
    if (reason) throw reason;
    const query: Query = { key, principal, streams: 0, running: false, waiters: new Set() };
    // Whenever a place is free, nobody who may take it waits: `#leave` hands places on at once.
    if (this.#running < this.#options.running && this.#mayRun(principal)) this.#start(query);
    else this.#enqueue(query);
    this.#queries.set(key, query);
    return query;
  }

  #enqueue(query: Query): void {
    const { running, runningPerPrincipal, waiting, waitingPerPrincipal, noun } = this.#options;
    const queue = this.#queues.get(query.principal) ?? new Set();
    if (queue.size >= waitingPerPrincipal)
      fail(
        'limit.busy',
        `too many ${noun} at once: ${runningPerPrincipal} may run and ${waitingPerPrincipal} may wait for one principal; close results that you no longer read, or try again later`,
      );
    if (this.#waiting >= waiting)
      fail('limit.busy', `the server is busy: it runs ${running} ${noun} at once and ${waiting} wait already; try again later`);
    queue.add(query);
    this.#queues.set(query.principal, queue);
    this.#waiting++;
  }

  #turn(query: Query, signal: AbortSignal): Promise<void> {
    const { waitMs, noun } = this.#options;
    return new Promise((resolve, reject) => {
      const settle = (end: () => void): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', onAbort);
        query.waiters.delete(onTurn);
        end();
      };
      const onTurn = (): void => settle(resolve);
      const onAbort = (): void => settle(() => reject(signal.reason));
      const late = (): void =>
        settle(() =>
          reject(
            new SluiceError(
              'limit.busy',
              `no place became free within ${waitMs / 1000} s: too many ${noun} run at once; close results that you no longer read, or try again later`,
            ),
          ),
        );
      const timer = setTimeout(late, waitMs);
      signal.addEventListener('abort', onAbort, { once: true });
      query.waiters.add(onTurn);
    });
  }

  #mayRun(principal: string): boolean {
    return (this.#runningOf.get(principal) ?? 0) < this.#options.runningPerPrincipal;
  }

  #start(query: Query): void {
    query.running = true;
    this.#running++;
    this.#runningOf.set(query.principal, (this.#runningOf.get(query.principal) ?? 0) + 1);
    for (const onTurn of [...query.waiters]) onTurn();
  }

  /** One stream of the query ends; the last one gives the place on, or leaves the queue. */
  #leave(query: Query): void {
    if (--query.streams > 0) return;
    this.#queries.delete(query.key);
    if (query.running) this.#stop(query.principal);
    else this.#unqueue(query);
    while (this.#running < this.#options.running) {
      const next = this.#next();
      if (next === null) return;
      this.#start(next);
    }
  }

  #stop(principal: string): void {
    this.#running--;
    const left = (this.#runningOf.get(principal) ?? 1) - 1;
    if (left > 0) this.#runningOf.set(principal, left);
    else this.#runningOf.delete(principal);
  }

  #unqueue(query: Query): void {
    const queue = this.#queues.get(query.principal);
    if (queue?.delete(query) !== true) return;
    this.#waiting--;
    if (queue.size === 0) this.#queues.delete(query.principal);
  }

  /** The oldest query of the principal whose turn it is; that principal then goes to the end. */
  #next(): Query | null {
    for (const [principal, queue] of this.#queues) {
      const [query] = queue;
      if (query === undefined || !this.#mayRun(principal)) continue;
      this.#unqueue(query);
      this.#queues.delete(principal);
      if (queue.size > 0) this.#queues.set(principal, queue);
      return query;
    }
    return null;
  }
}

function once(run: () => void): () => void {
  let done = false;
  return () => {
    if (!done) run();
    done = true;
  };
}
