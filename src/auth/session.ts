/** The bearer that every response carries: sealed and stateless, so any server of the cluster reads it and none stores it. */
import { fail, SluiceError } from '../errors.ts';
import { decodeSession, encodeSession, type Sealer, type SessionToken } from '../wire/index.ts';
import type { ClaimedFacts } from './claims.ts';

/** What a session was made from; it lives only as long as that would still be accepted. */
export type SessionOrigin = 'password' | 'token' | 'certificate' | 'oidc';

export interface Session {
  readonly subject: string;
  readonly origin: SessionOrigin;
  /** Digest of what it was made from. */
  readonly credential: Uint8Array;
  /** However much it is used, it ends here. */
  readonly endsAtMs: number;
  /** Of subjects that no file here describes. */
  readonly facts: Omit<ClaimedFacts, 'subject'> | null;
}

export interface Sessions {
  /** null when it would be larger than clients take in a header. */
  issue(session: Session): string | null;
  /** Fails with auth.invalid. */
  open(token: Uint8Array): Session;
}

const ORIGINS: readonly SessionOrigin[] = ['password', 'token', 'certificate', 'oidc'];
/** Many clients and proxies take 8 KiB of headers in all. */
const CHARACTERS_MAX = 6000;

/** `idleMs`: how long a bearer lives unused. */
export function createSessions(sealer: Sealer, idleMs: number, now: () => number): Sessions {
  return {
    issue: ({ facts, ...session }) => {
      const expiresAtMs = Math.min(now() + idleMs, session.endsAtMs);
      const token = { ...session, expiresAtMs, facts: facts === null ? '' : JSON.stringify(facts) };
      const text = Buffer.from(sealer.seal('session', encodeSession(token))).toString('base64');
      return text.length > CHARACTERS_MAX ? null : text;
    },
    open: (token) => {
      const session = openToken(sealer, token);
      const origin = ORIGINS.find((known) => known === session.origin);
      if (origin === undefined) return fail('auth.invalid', 'the bearer token is not valid');
      if (Math.min(session.expiresAtMs, session.endsAtMs) <= now()) fail('auth.invalid', 'the bearer token has expired, log in again');
      const { subject, credential, endsAtMs } = session;
      // Sealed, so what is inside is what this cluster wrote.
      return {
        subject,
        origin,
        credential,
        endsAtMs,
        facts: session.facts === '' ? null : (JSON.parse(session.facts) as Session['facts']),
      };
    },
  };
}

function openToken(sealer: Sealer, token: Uint8Array): SessionToken {
  try {
    return decodeSession(sealer.open('session', token));
  } catch (error) {
    if (error instanceof SluiceError) fail('auth.invalid', 'the bearer token is not valid', error);
    throw error;
  }
}
