/**
 * Who may run now: a bounded number of queries in total and per principal, the rest waits in a bounded queue.
 * Fair: principals take turns, the queries of one principal go in order. The streams of one query share its place,
 * because clients open every endpoint at once and read them in order: a stream that waits for a place held by an
 * earlier one of the same query would wait for ever. The same holds for the memory of their batches, which is counted as the streams open.
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
  /** Bytes that batches of streams may hold: in all, of a query's first stream, and of each further one, which waits for its turn to be read. */
  readonly memory?: { readonly max: number; readonly firstStream: number; readonly nextStream: number };
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
  stats(): AdmissionStats;
}

export interface AdmissionStats {
  readonly running: number;
  readonly waiting: number;
  /** What running queries may hold. */
  readonly bytes: number;
}

interface Query {
  readonly key: string;
  readonly principal: string;
  /** Holding the place or waiting for it. */
  streams: number;
  bytes: number;
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
  readonly #runningOf = new Map<string, { queries: number; bytes: number }>();
  #running = 0;
  #bytes = 0;
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

  stats(): AdmissionStats {
    return { running: this.#running, waiting: this.#waiting, bytes: this.#bytes };
  }

  #join(principal: string, queryId: string): Query {
    const key = JSON.stringify([principal, queryId]);
    const query = this.#queries.get(key) ?? this.#enter(key, principal);
    const { streamsPerQuery } = this.#options;
    if (query.streams >= streamsPerQuery)
      fail('limit.busy', `${streamsPerQuery} streams of this query are open, the most for one query; read or close some of them`);
    query.streams++;
    this.#grow(query);
    return query;
  }

  #enter(key: string, principal: string): Query {
    const reason = this.#options.closed?.();
    if (reason) throw reason;
    const query: Query = { key, principal, streams: 0, bytes: 0, running: false, waiters: new Set() };
    // Whenever a place is free, nobody who may take it waits: `#leave` hands places on at once.
    if (this.#isFree() && this.#mayRun(principal)) this.#start(query);
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

  /** For the first stream of one more query; the only one always finds room. */
  #isFree(): boolean {
    const { running, memory } = this.#options;
    return this.#running < running && (memory === undefined || this.#running === 0 || this.#bytes + memory.firstStream <= memory.max);
  }

  #mayRun(principal: string): boolean {
    const { runningPerPrincipal, memory } = this.#options;
    const { queries, bytes } = this.#runningOf.get(principal) ?? { queries: 0, bytes: 0 };
    return queries < runningPerPrincipal && (memory === undefined || queries === 0 || bytes + memory.firstStream <= memory.max / 2);
  }

  #start(query: Query): void {
    query.running = true;
    this.#count(query.principal, 1, query.bytes);
    for (const onTurn of [...query.waiters]) onTurn();
  }

  /** One stream of the query ends; the last one gives the place on, or leaves the queue. */
  #leave(query: Query): void {
    query.streams--;
    if (query.streams > 0) this.#shrink(query);
    else {
      this.#queries.delete(query.key);
      if (query.running) this.#count(query.principal, -1, -query.bytes);
      else this.#unqueue(query);
    }
    while (this.#isFree()) {
      const next = this.#next();
      if (next === null) return;
      this.#start(next);
    }
  }

  /** One more stream of it. */
  #grow(query: Query): void {
    const { memory } = this.#options;
    if (memory === undefined) return;
    const bytes = query.streams === 1 ? memory.firstStream : memory.nextStream;
    query.bytes += bytes;
    if (query.running) this.#count(query.principal, 0, bytes);
  }

  /** Of the streams that are left any may be the one that is read. */
  #shrink(query: Query): void {
    const bytes = this.#options.memory?.nextStream ?? 0;
    query.bytes -= bytes;
    if (query.running) this.#count(query.principal, 0, -bytes);
  }

  #count(principal: string, queries: number, bytes: number): void {
    this.#running += queries;
    this.#bytes += bytes;
    const of = this.#runningOf.get(principal) ?? { queries: 0, bytes: 0 };
    const now = { queries: of.queries + queries, bytes: of.bytes + bytes };
    if (now.queries > 0) this.#runningOf.set(principal, now);
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
