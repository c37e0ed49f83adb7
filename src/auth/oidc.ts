/** JSON Web Tokens of one OpenID provider: signature, issuer, audience and time are checked here; claims are read in claims.ts. */
import { createHash } from 'node:crypto';
import { errors, type JWTVerifyResult, jwtVerify } from 'jose';
import { fail, SluiceError } from '../errors.ts';
import { type ClaimedFacts, type ClaimNames, readClaims } from './claims.ts';
import { createKeySet } from './key-set.ts';

export interface OidcOptions {
  /** Exactly as the tokens' `iss` says. */
  readonly issuer: string;
  /** One of them must be in `aud`. */
  readonly audiences: readonly string[];
  /** null: found by the issuer's discovery document. */
  readonly jwksUrl: string | null;
  readonly claims: ClaimNames;
  /** How far the provider's clock may be off, milliseconds. */
  readonly clockSkewMs: number;
  /** How long a session may outlive its token, milliseconds. */
  readonly graceMs: number;
}

export interface Oidc {
  /** Rejects with auth.invalid or auth.unavailable. `endsAtMs`: when a session made from it must end. */
  verify(jwt: string): Promise<{ readonly facts: ClaimedFacts; readonly endsAtMs: number }>;
  /** A session made under other settings does not count. */
  readonly credential: Uint8Array;
}

/** Public keys only: with HS* anybody who reads the key set could sign, and `none` is no signature. */
const ALGORITHMS = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'];
/** A logout or security-event token of the same issuer proves no login. */
const TYPES: ReadonlySet<string> = new Set(['jwt', 'at+jwt', 'application/jwt', 'application/at+jwt']);
const CHARACTERS_MAX = 16_384;

export function createOidc(options: OidcOptions, now: () => number): Oidc {
  const findKey = createKeySet({ issuer: options.issuer, jwksUrl: options.jwksUrl, now });
  const { issuer, audiences, claims } = options;
  const rules = {
    algorithms: ALGORITHMS,
    issuer,
    audience: [...audiences],
    clockTolerance: options.clockSkewMs / 1000,
    requiredClaims: ['exp'],
  };
  return {
    credential: createHash('sha256')
      .update(JSON.stringify([issuer, audiences, claims]))
      .digest(),
    verify: async (jwt) => {
      if (jwt.length > CHARACTERS_MAX) fail('auth.invalid', 'the token is too long');
      const verified = await jwtVerify(jwt, findKey, { ...rules, currentDate: new Date(now()) }).catch(refuse);
      const expiresAtMs = (verified.payload.exp ?? 0) * 1000;
      checkType(verified);
      return { facts: readClaims(verified.payload, claims), endsAtMs: expiresAtMs + options.clockSkewMs + options.graceMs };
    },
  };
}

function checkType({ protectedHeader: { typ } }: JWTVerifyResult): void {
  if (typ !== undefined && !TYPES.has(String(typ).toLowerCase())) fail('auth.invalid', 'the token is not valid here');
}

/** jose's messages name claims and algorithms, never the token; they stay in the audit log all the same. */
function refuse(error: unknown): never {
  if (error instanceof SluiceError) throw error;
  if (error instanceof errors.JWTExpired) fail('auth.invalid', 'the token has expired, get a new one', error);
  return fail('auth.invalid', 'the token is not valid here', error);
}
