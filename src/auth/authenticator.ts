/** What a caller shows → principal, and the bearer for its next call. Decides nothing about data. */
import { createHash, timingSafeEqual } from 'node:crypto';
import { fail } from '../errors.ts';
import type { Principal, User } from '../model.ts';
import type { Sealer } from '../wire/index.ts';
import type { ClientCertificate } from './certificates.ts';
import { type Credentials, parseAuthorization } from './credentials.ts';
import { createOidc, type Oidc, type OidcOptions } from './oidc.ts';
import { createPasswordLogin, type PasswordLogin } from './password-login.ts';
import { createSessions, type Session, type SessionOrigin, type Sessions } from './session.ts';
import { addressOf, createThrottle } from './throttle.ts';
import { hashToken } from './token-format.ts';
import type { TokenRecord } from './token-store.ts';
import type { Tokens } from './tokens.ts';
import { createDirectory, type Directory } from './users.ts';

export interface AuthenticatorOptions {
  /** Local users as the metadata says now. */
  readonly users: () => readonly User[];
  readonly sealer: Sealer;
  /** How long a bearer lives unused, milliseconds: each call gets a fresh one. */
  readonly sessionTtlMs: number;
  /** How long after its login a session ends however much it is used, milliseconds. */
  readonly sessionMaxMs: number;
  /** null: there are no personal access tokens. */
  readonly tokens: Pick<Tokens, 'find'> | null;
  /** null: no OpenID provider is trusted. */
  readonly oidc: OidcOptions | null;
  readonly now?: () => number;
}

/** All that a call shows of its caller. */
export interface Evidence {
  /** The header's whole value. */
  readonly authorization: string | undefined;
  /** Verified by the TLS layer. */
  readonly certificate?: ClientCertificate | undefined;
  /** Network address with port, as gRPC gives it. */
  readonly peer: string;
}

export interface Authenticated {
  readonly principal: Principal;
  /** Value for `authorization: Bearer …`, fresh on every call. */
  readonly bearer: string;
}

export interface Authenticator {
  /** Rejects with auth.* or limit.busy. */
  authenticate(evidence: Evidence): Promise<Authenticated>;
}

interface Context {
  readonly directory: Directory;
  readonly passwordLogin: PasswordLogin;
  readonly sessions: Sessions;
  readonly tokens: AuthenticatorOptions['tokens'];
  readonly oidc: Oidc | null;
  readonly sessionMaxMs: number;
  readonly now: () => number;
}

interface Identity {
  readonly principal: Principal;
  readonly session: Session;
  /** Sent back when the session would not fit into a header. */
  readonly presented?: string;
}

export function createAuthenticator(options: AuthenticatorOptions): Authenticator {
  const now = options.now ?? Date.now;
  const directory = createDirectory(options.users);
  const context: Context = {
    directory,
    passwordLogin: createPasswordLogin(directory, createThrottle(now), now),
    sessions: createSessions(options.sealer, options.sessionTtlMs, now),
    tokens: options.tokens,
    oidc: options.oidc === null ? null : createOidc(options.oidc, now),
    sessionMaxMs: options.sessionMaxMs,
    now,
  };
  return {
    authenticate: async (evidence) => {
      const owner = evidence.certificate === undefined ? undefined : ownerOf(context, evidence.certificate);
      const identity = await identify(context, evidence, owner);
      // A stolen bearer or password is worth nothing beside somebody else's certificate.
      if (owner !== undefined && owner.name !== identity.principal.subject)
        fail('auth.invalid', 'the client certificate belongs to another user');
      const bearer = context.sessions.issue(identity.session) ?? identity.presented;
      return { principal: identity.principal, bearer: bearer ?? fail('auth.invalid', 'the caller has too many groups or attributes') };
    },
  };
}

/** A connection may live longer than the certificate that opened it. */
function ownerOf({ directory, now }: Context, certificate: ClientCertificate): User | undefined {
  if (certificate.validToMs <= now()) fail('auth.invalid', 'the client certificate has expired, connect again with a new one');
  return directory.ownerOf(certificate);
}

async function identify(context: Context, { authorization, certificate, peer }: Evidence, owner: User | undefined): Promise<Identity> {
  if (authorization !== undefined && authorization !== '') {
    const credentials =
      parseAuthorization(authorization) ?? fail('auth.invalid', 'the authorization header is neither Basic nor a known Bearer');
    return byCredentials(context, credentials, addressOf(peer));
  }
  if (owner !== undefined && certificate !== undefined)
    return localIdentity(context, owner, 'certificate', certificateDigest(owner), certificate.validToMs);
  return fail('auth.missing', 'no credentials: log in with user and password, a token or a client certificate');
}

async function byCredentials(context: Context, credentials: Credentials, address: string): Promise<Identity> {
  switch (credentials.kind) {
    case 'password': {
      const user = await context.passwordLogin({ ...credentials, address });
      return localIdentity(context, user, 'password', passwordDigest(user), Number.POSITIVE_INFINITY);
    }
    case 'token':
      return byToken(context, credentials);
    case 'jwt':
      return byJwt(context, credentials.jwt);
    case 'session':
      return bySession(context, context.sessions.open(credentials.token));
  }
}

async function byToken(context: Context, { user: name, token }: Extract<Credentials, { kind: 'token' }>): Promise<Identity> {
  const record = await context.tokens?.find(hashToken(token));
  const user = tokenUser(context, record);
  if (record === undefined || user === undefined || (name !== null && name !== user.name))
    return fail('auth.invalid', name === null ? 'the token is unknown, expired or revoked' : 'user or password is wrong');
  return localIdentity(context, user, 'token', Buffer.from(record.hash, 'hex'), record.expiresAtMs);
}

function tokenUser({ directory }: Context, record: TokenRecord | undefined): User | undefined {
  return record === undefined ? undefined : directory.find(record.user);
}

async function byJwt(context: Context, jwt: string): Promise<Identity> {
  if (context.oidc === null) return fail('auth.invalid', 'this server trusts no OpenID provider');
  const { facts, endsAtMs } = await context.oidc.verify(jwt);
  const { subject, ...rest } = facts;
  const endsMs = Math.min(endsAtMs, context.now() + context.sessionMaxMs);
  const session: Session = { subject, origin: 'oidc', credential: context.oidc.credential, endsAtMs: endsMs, facts: rest };
  return { principal: { ...facts, via: 'oidc' }, session, presented: jwt };
}

/** A session counts as long as that from which it was made would count now. */
async function bySession(context: Context, session: Session): Promise<Identity> {
  const { subject, origin, facts } = session;
  if (origin === 'oidc') {
    if (facts === null || context.oidc === null || !equal(context.oidc.credential, session.credential)) return expired();
    return { principal: { subject, ...facts, via: origin }, session };
  }
  const user = context.directory.find(subject);
  if (user === undefined || !(await stillHolds(context, user, session))) return expired();
  return { principal: principalOf(user, origin), session };
}

async function stillHolds(context: Context, user: User, { origin, credential }: Session): Promise<boolean> {
  if (origin !== 'token') return equal(origin === 'password' ? passwordDigest(user) : certificateDigest(user), credential);
  const record = await context.tokens?.find(Buffer.from(credential).toString('hex'));
  return record?.user === user.name;
}

function localIdentity(context: Context, user: User, origin: SessionOrigin, credential: Uint8Array, validToMs: number): Identity {
  const endsAtMs = Math.min(context.now() + context.sessionMaxMs, validToMs);
  return { principal: principalOf(user, origin), session: { subject: user.name, origin, credential, endsAtMs, facts: null } };
}

function principalOf({ name, groups, attributes }: User, via: SessionOrigin): Principal {
  return { subject: name, groups, attributes, via };
}

function expired(): never {
  return fail('auth.invalid', 'the session has ended: its login, token or certificate no longer counts; log in again');
}

function passwordDigest(user: User): Buffer {
  return digest(`password ${user.passwordHash}`);
}

function certificateDigest(user: User): Buffer {
  return digest(`certificate ${user.certificate ?? ''}`);
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

/** Equal lengths for the constant-time comparison. */
function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}
