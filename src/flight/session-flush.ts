/**
 * When a stream breaks, slices of its last buffers may still wait in the connection's write queue. Reusing that memory
 * would put another query's rows on the wire, so it is given back only when the client has acknowledged a ping sent
 * behind those bytes, or when the connection is gone. Node 20 holds broken writes back by itself, but does not promise it.
 */
import type { Http2Session } from 'node:http2';

type Release = () => void;

interface SessionState {
  closed: boolean;
  pinging: boolean;
  readonly waiting: Set<Release>;
}

const ACK_TIMEOUT_MS = 20_000;
const RETRY_MS = 100;

const sessions = new WeakMap<Http2Session, SessionState>();

/** Call while the session lives, before its first `releaseAfterFlush`. */
export function trackSession(session: Http2Session): void {
  if (sessions.has(session)) return;
  const state: SessionState = { closed: false, pinging: false, waiting: new Set() };
  sessions.set(session, state);
  session.once('close', () => {
    state.closed = true;
    releaseAll(state, [...state.waiting]);
  });
}

/** Runs `release` once no byte written to the session so far can still be in its queue. */
export function releaseAfterFlush(session: Http2Session, release: Release): void {
  const state = sessions.get(session);
  if (state === undefined || state.closed) {
    release();
    return;
  }
  state.waiting.add(release);
  if (!state.pinging) ping(session, state);
}

function ping(session: Http2Session, state: SessionState): void {
  // A destroyed session still emits `close` when its socket is gone.
  if (session.destroyed) return;
  const covered = [...state.waiting];
  const timeout = setTimeout(() => session.destroy(), ACK_TIMEOUT_MS).unref();
  state.pinging = session.ping((error) => {
    clearTimeout(timeout);
    state.pinging = false;
    if (error !== null) return;
    releaseAll(state, covered);
    if (state.waiting.size > 0) ping(session, state);
  });
  if (state.pinging) return;
  clearTimeout(timeout);
  setTimeout(() => ping(session, state), RETRY_MS).unref();
}

function releaseAll(state: SessionState, covered: readonly Release[]): void {
  for (const release of covered) {
    state.waiting.delete(release);
    release();
  }
}
