/** Credential → principal. Basic costs one scrypt and is then remembered shortly; a bearer is a sealed, stateless session token. */
import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { fail, SluiceError } from '../errors.ts';
import type { Principal, User } from '../model.ts';
import { decodeSession, encodeSession, type Sealer } from '../wire/index.ts';
import { parseAuthorization } from './credentials.ts';
import { hashPassword, verifyPassword } from './password.ts';

export interface AuthenticatorOptions {
  /** The user as the metadata says now; undefined when there is none. */
  readonly findUser: (name: string) => User | undefined;
  readonly sealer: Sealer;
  /** How long a bearer lives unused, milliseconds: each call gets a fresh one. */
  readonly sessionTtlMs: number;
  readonly now?: () => number;
}

export interface Authenticated {
  readonly principal: Principal;
  /** Value for `authorization: Bearer …`, fresh on every call. */
  readonly bearer: string;
}

export interface Authenticator {
  /** Takes the header's whole value. Rejects with auth.missing, auth.invalid or limit.busy. */
  authenticate(authorizationHeader: string | undefined): Promise<Authenticated>;
}

interface Context extends Required<AuthenticatorOptions> {
  /** Hash that unknown users are checked against, so that they cost the same. */
  readonly decoy: Promise<string>;
  readonly verified: VerifiedCache;
}

const CACHE_TTL_MS = 60_000;
const CACHE_ENTRIES = 1000;

export function createAuthenticator(options: AuthenticatorOptions): Authenticator {
  const now = options.now ?? Date.now;
  const decoy = hashPassword(randomBytes(16).toString('base64'));
  // A failure shows when the first login awaits it.
  decoy.catch(() => {});
  const context: Context = { ...options, now, decoy, verified: createVerifiedCache(now) };
  return {
    authenticate: async (header) => {
      const user = await findCaller(context, header);
      return { principal: principalOf(user), bearer: issueBearer(context, user) };
    },
  };
}

async function findCaller(context: Context, header: string | undefined): Promise<User> {
  if (header === undefined || header === '') fail('auth.missing', 'no credentials: log in with user and password or a bearer token');
  const credentials = parseAuthorization(header) ?? fail('auth.invalid', 'the authorization header is neither Basic nor Bearer');
  return credentials.kind === 'basic'
    ? await checkPassword(context, credentials.user, credentials.password)
    : checkBearer(context, credentials.token);
}

async function checkPassword(context: Context, name: string, password: string): Promise<User> {
  const user = context.findUser(name);
  const passwordHash = user?.passwordHash ?? (await context.decoy);
  const proof = context.verified.proofOf(name, password, passwordHash);
  const remembered = user !== undefined && context.verified.has(proof);
  const valid = remembered || (await verifyPassword(password, passwordHash));
  if (user === undefined || !valid) return fail('auth.invalid', 'user or password is wrong');
  context.verified.add(proof);
  return user;
}

function checkBearer(context: Context, token: Uint8Array): User {
  const session = openSession(context.sealer, token);
  const user = context.findUser(session.subject);
  const current = user !== undefined && timingSafeEqual(credentialDigest(user), digest(session.credential));
  if (!current || session.expiresAtMs <= context.now()) return fail('auth.invalid', 'the bearer token has expired, log in again');
  return user;
}

function openSession(sealer: Sealer, token: Uint8Array): ReturnType<typeof decodeSession> {
  try {
    return decodeSession(sealer.open('session', token));
  } catch (error) {
    if (error instanceof SluiceError) fail('auth.invalid', 'the bearer token is not valid', error);
    throw error;
  }
}

function issueBearer(context: Context, user: User): string {
  const token = { subject: user.name, expiresAtMs: context.now() + context.sessionTtlMs, credential: passwordDigest(user) };
  return Buffer.from(context.sealer.seal('session', encodeSession(token))).toString('base64');
}

function passwordDigest(user: User): Buffer {
  return digest(Buffer.from(user.passwordHash));
}

/** What a session's `credential` hashes to; equal lengths for the constant-time comparison. */
function credentialDigest(user: User): Buffer {
  return digest(passwordDigest(user));
}

function digest(bytes: Uint8Array): Buffer {
  return createHash('sha256').update(bytes).digest();
}

function principalOf(user: User): Principal {
  return { subject: user.name, groups: user.groups, attributes: user.attributes };
}

interface VerifiedCache {
  /** Keyed digest of all that was verified: a changed hash is another proof. */
  proofOf(name: string, password: string, passwordHash: string): string;
  has(proof: string): boolean;
  add(proof: string): void;
}

/** Remembers successes only: a wrong guess always costs a whole scrypt. */
function createVerifiedCache(now: () => number): VerifiedCache {
  const key = randomBytes(32);
  const expiries = new Map<string, number>();
  return {
    proofOf: (...parts) => createHmac('sha256', key).update(JSON.stringify(parts)).digest('base64'),
    has: (proof) => (expiries.get(proof) ?? 0) > now(),
    add: (proof) => {
      if ((expiries.get(proof) ?? 0) > now()) return;
      expiries.delete(proof);
      expiries.set(proof, now() + CACHE_TTL_MS);
      const [oldest] = expiries.keys();
      if (expiries.size > CACHE_ENTRIES && oldest !== undefined) expiries.delete(oldest);
    },
  };
}
