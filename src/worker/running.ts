/** What runs on this node, by query: so that a query can be cancelled. Losing this memory is harmless. */
import { fail, SluiceError } from '../errors.ts';

/** Ended and cancelled queries remembered until their tickets expire; the oldest goes first. */
const REMEMBERED_MAX = 10_000;

interface Query {
  readonly streams: Set<AbortController>;
  expiresAtMs: number;
  /** What the first cancel was told; null = not cancelled. */
  cancelled: boolean | null;
}

/** A stream's place in the registry. */
export interface Running {
  /** Fires when the caller's own signal fires or the query is cancelled. */
  readonly signal: AbortSignal;
  /** Call on every exit. */
  end(): void;
}

export interface RunningQueries {
  /** Rejects with request.cancelled when the query was cancelled before. */
  start(query: { readonly queryId: string; readonly expiresAtMs: number }, signal: AbortSignal): Running;
  /** Ends all streams of the query and refuses later ones; false when it had begun and nothing of it ran any more. Asked again it says the same. */
  cancel(query: { readonly queryId: string; readonly expiresAtMs: number }): boolean;
  size(): number;
}

export function createRunningQueries(now: () => number): RunningQueries {
  // In order of first mention.
  const queries = new Map<string, Query>();
  const forget = (isOver: (query: Query) => boolean, downTo: number): void => {
    for (const [id, query] of queries) {
      if (queries.size <= downTo) return;
      if (query.streams.size === 0 && isOver(query)) queries.delete(id);
    }
  };
  const makeRoom = (): void => {
    const nowMs = now();
    forget(({ expiresAtMs }) => expiresAtMs <= nowMs, 0);
    // Many at a time, so that the walk is paid for by as many mentions.
    if (queries.size >= REMEMBERED_MAX) forget(() => true, REMEMBERED_MAX * 0.9);
  };
  const mention = (queryId: string, expiresAtMs: number): Query => {
    const query = queries.get(queryId) ?? { streams: new Set(), expiresAtMs, cancelled: null };
    query.expiresAtMs = Math.max(query.expiresAtMs, expiresAtMs);
    if (!queries.has(queryId) && queries.size >= REMEMBERED_MAX) makeRoom();
    queries.set(queryId, query);
    return query;
  };
  return {
    start: ({ queryId, expiresAtMs }, signal) => {
      const query = mention(queryId, expiresAtMs);
      if (query.cancelled !== null) fail('request.cancelled', 'this query was cancelled; run it again');
      const stream = new AbortController();
      query.streams.add(stream);
      return { signal: AbortSignal.any([signal, stream.signal]), end: () => void query.streams.delete(stream) };
    },
    cancel: ({ queryId, expiresAtMs }) => {
      const hasBegun = queries.has(queryId);
      const query = mention(queryId, expiresAtMs);
      query.cancelled ??= !hasBegun || query.streams.size > 0;
      for (const stream of query.streams) stream.abort(new SluiceError('request.cancelled', 'the query was cancelled'));
      return query.cancelled;
    },
    size: () => queries.size,
  };
}
