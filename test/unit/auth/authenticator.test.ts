import { scryptSync } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import {
  type Authenticator,
  type ClientCertificate,
  createAuthenticator,
  createTokenStore,
  createTokens,
  type OidcOptions,
  type Tokens,
} from '#src/auth/index.js';
import type { User } from '#src/model.js';
import { createSealer } from '#src/wire/index.js';
import { type Issuer, startIssuer } from '../../support/issuer.ts';
import { SEED } from '../../support/seed.ts';

const HOUR_MS = 3_600_000;
const sealer = createSealer([{ id: 'k1', key: new Uint8Array(32).fill(7) }]);
const hashOf = (password: string) =>
  `scrypt$1024$8$1$${Buffer.from('salt').toString('base64')}$${scryptSync(password, 'salt', 32, { N: 1024, r: 8, p: 1 }).toString('base64')}`;
const ada: User = { name: 'ada', passwordHash: hashOf('secret'), groups: ['staff'], attributes: { region: ['EU'] } };
const etl: User = { name: 'etl', passwordHash: '', certificate: 'sluice://user/etl', groups: ['jobs'], attributes: {} };
const basic = (user: string, password: string) => `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
const invalid = expect.objectContaining({ code: 'auth.invalid' });

let issuer: Issuer;
let directory: string;
let users: Map<string, User>;
let nowMs: number;
let tokens: Tokens;
let oidc: OidcOptions;
let authenticator: Authenticator;

beforeAll(async () => {
  issuer = await startIssuer();
  directory = await mkdtemp(join(tmpdir(), 'sluice-auth-'));
});

afterAll(async () => {
  await issuer[Symbol.asyncDispose]();
  await rm(directory, { recursive: true });
});

beforeEach(async () => {
  users = new Map([
    ['ada', ada],
    ['etl', etl],
  ]);
  nowMs = Date.now();
  const store = createTokenStore(join(directory, 'tokens.json'));
  await store.update(() => []);
  tokens = createTokens(store, { ttlMs: 24 * HOUR_MS, ttlMaxMs: 48 * HOUR_MS }, () => nowMs);
  const claims = { subject: 'sub', groups: ['groups'], attributes: { region: 'region' } };
  oidc = { issuer: issuer.url, audiences: ['sluice'], jwksUrl: null, claims, clockSkewMs: 60_000, graceMs: 0 };
  authenticator = make();
});

const make = (changes: Partial<Parameters<typeof createAuthenticator>[0]> = {}): Authenticator =>
  createAuthenticator({
    users: () => [...users.values()],
    sealer,
    sessionTtlMs: HOUR_MS,
    sessionMaxMs: 12 * HOUR_MS,
    tokens,
    oidc,
    now: () => nowMs,
    ...changes,
  });

const show = (authorization: string | undefined, certificate?: ClientCertificate) =>
  authenticator.authenticate({ authorization, certificate, peer: '127.0.0.1:1234' });
const bearerOf = async (authorization: string | undefined, certificate?: ClientCertificate) =>
  `Bearer ${(await show(authorization, certificate)).bearer}`;
const certificateOf = (uri: string, validToMs = nowMs + 5 * HOUR_MS): ClientCertificate => ({
  subjectAltName: `URI:${uri}`,
  commonName: null,
  validToMs,
});

describe('a password', () => {
  test('gives the principal and a bearer', async () => {
    const { principal, bearer } = await show(basic('ada', 'secret'));
    expect(principal).toEqual({ subject: 'ada', groups: ['staff'], attributes: { region: ['EU'] }, via: 'password' });
    expect(bearer).toMatch(/^[A-Za-z0-9+/]+=*$/);
  });

  test('that is wrong and a user that is unknown fail alike', async () => {
    const failures = await Promise.allSettled([show(basic('ada', 'x')), show(basic('eve', 'x')), show(basic('etl', 'x'))]);
    const seen = failures.map((failure) => failure.status === 'rejected' && [failure.reason.code, failure.reason.message]);
    expect(seen).toEqual(Array(3).fill(['auth.invalid', 'user or password is wrong']));
  });

  test('guessed from one address keeps that address waiting, others not', async () => {
    for (let i = 0; i < 6; i++) await expect(show(basic('ada', `guess ${i}`))).rejects.toThrow(invalid);
    await expect(show(basic('ada', 'secret'))).rejects.toMatchObject({ code: 'auth.throttled' });
    await authenticator.authenticate({ authorization: basic('ada', 'secret'), peer: '10.0.0.1:1234' });
  });
});

describe('a bearer', () => {
  test('is read at each call anew: facts follow the user', async () => {
    const bearer = await bearerOf(basic('ada', 'secret'));
    users.set('ada', { ...ada, groups: ['audit'], attributes: {} });
    expect((await show(bearer)).principal).toEqual({ subject: 'ada', groups: ['audit'], attributes: {}, via: 'password' });
  });

  test('ends unused after its time; each call renews it, but not beyond its end', async () => {
    const first = await bearerOf(basic('ada', 'secret'));
    let bearer = first;
    for (let hours = 0; hours < 11.5; hours += 0.5) {
      nowMs += HOUR_MS / 2;
      bearer = await bearerOf(bearer);
    }
    await expect(show(first)).rejects.toThrow(invalid);
    nowMs += HOUR_MS / 2;
    await expect(show(bearer)).rejects.toThrow(/expired, log in again/);
  });

  test('ends with its user and with its password', async () => {
    const bearer = await bearerOf(basic('ada', 'secret'));
    users.set('ada', { ...ada, passwordHash: hashOf('changed') });
    await expect(show(bearer)).rejects.toThrow(invalid);
    users.delete('ada');
    await expect(show(bearer)).rejects.toThrow(invalid);
  });

  test('of another purpose or altered is refused', async () => {
    const ticket = Buffer.from(sealer.seal('ticket', Buffer.from('x'))).toString('base64');
    const bearer = await bearerOf(basic('ada', 'secret'));
    for (const token of [ticket, 'AAAA', `${bearer.slice(7, -8)}AAAAAAA=`]) await expect(show(`Bearer ${token}`)).rejects.toThrow(invalid);
  });
});

describe('a personal access token', () => {
  test('is a bearer and a password, as powerful as its user now', async () => {
    const { token } = await tokens.create('ada', 'laptop', null);
    expect((await show(`Bearer ${token}`)).principal).toEqual({
      subject: 'ada',
      groups: ['staff'],
      attributes: { region: ['EU'] },
      via: 'token',
    });
    users.set('ada', { ...ada, groups: [] });
    expect((await show(basic('ada', token))).principal).toMatchObject({ subject: 'ada', groups: [], via: 'token' });
  });

  test('of another user, revoked, expired, or of a user that is gone is refused', async () => {
    const { token } = await tokens.create('ada', 'laptop', null);
    await expect(show(basic('etl', token))).rejects.toThrow('user or password is wrong');
    users.delete('ada');
    await expect(show(`Bearer ${token}`)).rejects.toThrow(invalid);
    users.set('ada', ada);
    nowMs += 24 * HOUR_MS;
    await expect(show(`Bearer ${token}`)).rejects.toThrow('unknown, expired or revoked');
    const again = (await tokens.create('ada', 'again', null)).token;
    await tokens.revoke('ada', 'again');
    await expect(show(`Bearer ${again}`)).rejects.toThrow('unknown, expired or revoked');
    await expect(show(basic('ada', again))).rejects.toThrow('user or password is wrong');
  });

  test('takes its sessions with it when it is revoked or expires; a password change does not touch it', async () => {
    const { token } = await tokens.create('ada', 'laptop', HOUR_MS / 2);
    const bearer = await bearerOf(`Bearer ${token}`);
    users.set('ada', { ...ada, passwordHash: hashOf('changed') });
    expect((await show(bearer)).principal.via).toBe('token');
    nowMs += HOUR_MS / 2;
    await expect(show(bearer)).rejects.toThrow(invalid);
    const second = await bearerOf(`Bearer ${(await tokens.create('ada', 'second', null)).token}`);
    await tokens.revoke('ada', 'second');
    await expect(show(second)).rejects.toThrow(invalid);
  });

  test('is unknown where there are none', async () => {
    const { token } = await tokens.create('ada', 'laptop', null);
    authenticator = make({ tokens: null });
    await expect(show(`Bearer ${token}`)).rejects.toThrow(invalid);
  });
});

describe('a JSON Web Token', () => {
  test('gives subject, groups and attributes of its own namespace only', async () => {
    users.set('steward', { ...ada, name: 'steward', groups: ['stewards'] });
    const jwt = await issuer.token({ sub: 'steward', groups: ['g'], region: ['US'] });
    const principal = { subject: 'oidc:steward', groups: ['oidc:g'], attributes: { region: ['US'] }, via: 'oidc' };
    expect((await show(`Bearer ${jwt}`)).principal).toEqual(principal);
    const bearer = await bearerOf(`Bearer ${jwt}`);
    expect((await show(bearer)).principal).toEqual(principal);
  });

  test('ends its sessions with it, with the settings and without a provider', async () => {
    const bearer = await bearerOf(`Bearer ${await issuer.token()}`);
    authenticator = make({ oidc: { ...oidc, audiences: ['elsewhere'] } });
    await expect(show(bearer)).rejects.toThrow(invalid);
    authenticator = make({ oidc: null });
    await expect(show(bearer)).rejects.toThrow(invalid);
    await expect(show(`Bearer ${await issuer.token()}`)).rejects.toThrow('trusts no OpenID provider');
    authenticator = make();
    nowMs += 400_000;
    await expect(show(bearer)).rejects.toThrow(invalid);
  });

  test('with more groups than a header takes comes back itself', async () => {
    const jwt = await issuer.token({ groups: Array.from({ length: 500 }, (_, i) => `group-${i}`) });
    const { principal, bearer } = await show(`Bearer ${jwt}`);
    expect(principal.groups).toHaveLength(500);
    expect(bearer).toBe(jwt);
  });
});

describe('a client certificate', () => {
  test('is a login when nothing else is shown', async () => {
    const shown = certificateOf('sluice://user/etl');
    expect((await show(undefined, shown)).principal).toEqual({ subject: 'etl', groups: ['jobs'], attributes: {}, via: 'certificate' });
    const bearer = await bearerOf('', shown);
    expect((await show(bearer)).principal.via).toBe('certificate');
    users.set('etl', { ...etl, certificate: 'sluice://user/other' });
    await expect(show(bearer)).rejects.toThrow(invalid);
  });

  test('that nobody is known by is no login, and no hindrance to one', async () => {
    const shown = certificateOf('sluice://user/laptop');
    await expect(show(undefined, shown)).rejects.toMatchObject({ code: 'auth.missing' });
    expect((await show(basic('ada', 'secret'), shown)).principal.subject).toBe('ada');
  });

  test('of one user refuses another user’s password, bearer, token and JSON Web Token', async () => {
    const shown = certificateOf('sluice://user/etl');
    const { token } = await tokens.create('ada', 'laptop', null);
    const others = [basic('ada', 'secret'), await bearerOf(basic('ada', 'secret')), `Bearer ${token}`, `Bearer ${await issuer.token()}`];
    for (const header of others) await expect(show(header, shown)).rejects.toThrow('belongs to another user');
    expect((await show(await bearerOf(undefined, shown), shown)).principal.subject).toBe('etl');
  });

  test('ends with its validity, and so do its sessions', async () => {
    const shown = certificateOf('sluice://user/etl', nowMs + HOUR_MS / 2);
    const bearer = await bearerOf(undefined, shown);
    nowMs += HOUR_MS / 2;
    await expect(show(undefined, shown)).rejects.toThrow('certificate has expired');
    await expect(show(bearer)).rejects.toThrow(invalid);
  });
});

test('no header and an unknown scheme have their own errors', async () => {
  for (const nothing of [undefined, '']) await expect(show(nothing)).rejects.toMatchObject({ code: 'auth.missing' });
  for (const odd of ['Digest x', 'Bearer', 'Bearer a b', 'Basic !']) await expect(show(odd)).rejects.toThrow(invalid);
});

test('whatever a header holds, it is refused with an error of its own kind', async () => {
  const scheme = fc.constantFrom('Basic', 'Bearer', 'bearer', 'BASIC', 'Digest', '');
  const base64 = fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes).toString('base64'));
  const jwt = fc
    .array(
      base64.map((text) => text.replace(/[+/=]/g, '_')),
      { minLength: 2, maxLength: 6 },
    )
    .map((parts) => parts.join('.'));
  const pair = fc.tuple(fc.string(), fc.string()).map(([user, password]) => Buffer.from(`${user}:${password}`).toString('base64'));
  const header = fc.oneof(
    fc.string(),
    fc.tuple(scheme, fc.oneof(fc.string(), base64, jwt, pair)).map((parts) => parts.join(' ')),
  );
  await fc.assert(
    fc.asyncProperty(header, async (authorization) => {
      const code = await show(authorization).then(
        () => 'accepted',
        (error: { code?: string }) => error.code,
      );
      expect(['auth.invalid', 'auth.missing', 'auth.throttled', 'auth.unavailable']).toContain(code);
    }),
    { seed: SEED, numRuns: 1000 },
  );
});
