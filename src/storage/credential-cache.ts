/** Credentials that are asked for once at a time, renewed before they expire, and kept to their end when that fails. */
import type { S3Credentials } from '../files.ts';
import { withinTime } from '../waiting.ts';

export interface CredentialCache {
  /** Rejects as `resolve` does, when there are none that still hold. */
  get(): Promise<S3Credentials>;
  /** The store refused them: the next `get` asks anew, though not at once again and again. */
  doubt(): void;
}

export interface CacheOptions {
  readonly resolve: () => Promise<S3Credentials>;
  readonly now: () => number;
  readonly onOutcome: (outcome: 'renewed' | 'failed', cause?: unknown) => void;
  /** From 0 to 1. */
  readonly random?: () => number;
  /** After which a source that says nothing counts as out of reach. */
  readonly timeoutMs?: number;
}

/** A file or environment may hold others by then. */
const REREAD_MS = 60_000;
/** How long before their end credentials are renewed, at most. */
const LEAD_MS = 5 * 60_000;
/** The SDK's own token services wait without end. */
const TIMEOUT_MS = 30_000;
/** After a failure, or a doubt, before the source is asked again. */
const PAUSE_MS = 5_000;

export function createCredentialCache(options: CacheOptions): CredentialCache {
  const { resolve, now, onOutcome, random = Math.random, timeoutMs = TIMEOUT_MS } = options;
  let held: S3Credentials | null = null;
  let renewAtMs = 0;
  let askedAtMs = Number.NEGATIVE_INFINITY;
  let doubted = false;
  let failure: { readonly cause: unknown } | null = null;
  let pending: Promise<S3Credentials> | null = null;

  const ask = (): Promise<S3Credentials> => {
    pending ??= (async () => {
      askedAtMs = now();
      try {
        held = await withinTime(resolve(), timeoutMs);
        renewAtMs = renewalOf(held, now(), random());
        doubted = false;
        failure = null;
        onOutcome('renewed');
        return held;
      } catch (error) {
        renewAtMs = now() + PAUSE_MS * (1 + random());
        failure = { cause: error };
        onOutcome('failed', error);
        throw error;
      } finally {
        pending = null;
      }
    })();
    return pending;
  };
  const holds = (): boolean => held !== null && (held.expiresAtMs === null || held.expiresAtMs > now());

  return {
    get: async () => {
      if (held === null || !holds()) {
        if (failure !== null && now() < renewAtMs) throw failure.cause;
        return ask();
      }
      if (doubted && now() - askedAtMs >= PAUSE_MS) return ask().catch(() => held ?? ask());
      // What still holds is given out while the next is on its way.
      if (now() >= renewAtMs) void ask().catch(() => {});
      return held;
    },
    doubt: () => {
      doubted = true;
    },
  };
}

/** With up to a tenth of it sooner, so that a fleet does not ask all at once. */
function renewalOf({ expiresAtMs }: S3Credentials, nowMs: number, random: number): number {
  const whole = expiresAtMs === null ? REREAD_MS : Math.max(0, expiresAtMs - nowMs - Math.min(LEAD_MS, (expiresAtMs - nowMs) / 3));
  return nowMs + whole * (1 - random / 10);
}
