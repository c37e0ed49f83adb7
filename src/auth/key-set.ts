/**
 * The OpenID provider's signing keys: fetched when first needed, again when they age and when a token names an unknown one.
 * While the provider does not answer, the keys known stay in use for an hour after they aged, then nothing verifies.
 */
import { createLocalJWKSet, errors, type FlattenedJWSInput, type JWK, type JWTHeaderParameters } from 'jose';
import { SluiceError } from '../errors.ts';
import { fetchJson } from './fetch-json.ts';

export interface KeySetOptions {
  readonly issuer: string;
  /** null: as the issuer's discovery document says. */
  readonly jwksUrl: string | null;
  readonly now: () => number;
}

type Keys = ReturnType<typeof createLocalJWKSet>;
type VerificationKey = Awaited<ReturnType<Keys>>;

export type FindKey = (header: JWTHeaderParameters, token: FlattenedJWSInput) => Promise<VerificationKey>;

const FRESH_MS = 600_000;
const USABLE_MS = FRESH_MS + 3_600_000;
/** Between two attempts, so that tokens with made-up key ids don't become requests. */
const COOLDOWN_MS = 5_000;
const KEYS_MAX = 100;
const ASYMMETRIC: ReadonlySet<unknown> = new Set(['RSA', 'EC', 'OKP']);

/** Rejects with auth.unavailable without keys, and with jose's errors when no key fits. */
export function createKeySet(options: KeySetOptions): FindKey {
  const { now } = options;
  let known: { readonly keys: Keys; readonly fetchedAtMs: number } | null = null;
  let attemptedAtMs = Number.NEGATIVE_INFINITY;
  let pending: Promise<Keys> | null = null;

  const refresh = (): Promise<Keys> => {
    if (pending !== null) return pending;
    if (now() - attemptedAtMs < COOLDOWN_MS) return Promise.reject(unavailable());
    attemptedAtMs = now();
    pending = fetchKeys(options)
      .then((keys) => {
        known = { keys, fetchedAtMs: now() };
        return keys;
      })
      .finally(() => {
        pending = null;
      });
    return pending;
  };
  const current = (): Promise<Keys> | Keys => {
    const ageMs = known === null ? Number.POSITIVE_INFINITY : now() - known.fetchedAtMs;
    if (known === null || ageMs > USABLE_MS) return refresh();
    if (ageMs > FRESH_MS) refresh().catch(() => {});
    return known.keys;
  };
  return async (header, token) => {
    const keys = await current();
    try {
      return await keys(header, token);
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey) || (pending === null && now() - attemptedAtMs < COOLDOWN_MS)) throw error;
      return (await refresh())(header, token);
    }
  };
}

async function fetchKeys({ issuer, jwksUrl }: KeySetOptions): Promise<Keys> {
  try {
    const document = await fetchJson(jwksUrl ?? (await discover(issuer)));
    const keys = Array.isArray(document['keys']) ? document['keys'].filter(isPublicKey) : [];
    if (keys.length === 0 || keys.length > KEYS_MAX) throw new Error(`the key set has ${keys.length} usable keys`);
    return createLocalJWKSet({ keys });
  } catch (error) {
    throw unavailable(error);
  }
}

/** OpenID Connect Discovery 1.0 §4: the document must name the issuer that was asked. */
async function discover(issuer: string): Promise<string> {
  const document = await fetchJson(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`);
  if (document['issuer'] !== issuer) throw new Error('the discovery document is of another issuer');
  const url = document['jwks_uri'];
  if (typeof url !== 'string') throw new Error('the discovery document has no jwks_uri');
  return url;
}

function isPublicKey(key: unknown): key is JWK {
  return typeof key === 'object' && key !== null && 'kty' in key && ASYMMETRIC.has(key.kty);
}

function unavailable(cause?: unknown): SluiceError {
  return new SluiceError('auth.unavailable', 'the keys of the OpenID provider can not be read; try again', cause);
}
