import { generateKeyPair, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { exportJWK } from 'jose';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { createOidc, type Oidc, type OidcOptions } from '#src/auth/oidc.js';
import { forgeToken, type Issuer, startIssuer } from '../../support/issuer.ts';
import { SEED } from '../../support/seed.ts';

const invalid = expect.objectContaining({ code: 'auth.invalid' });
const seconds = () => Math.floor(Date.now() / 1000);

const makePair = promisify(
  (alg: string, done: (error: Error | null, pair: { publicKey: KeyObject; privateKey: KeyObject }) => void): void => {
    const answer = (error: Error | null, publicKey: KeyObject, privateKey: KeyObject): void => done(error, { publicKey, privateKey });
    if (alg === 'EdDSA') generateKeyPair('ed25519', {}, answer);
    else if (alg === 'ES384') generateKeyPair('ec', { namedCurve: 'P-384' }, answer);
    else generateKeyPair('rsa', { modulusLength: 2048 }, answer);
  },
);

let issuer: Issuer;
let options: OidcOptions;
let oidc: Oidc;

beforeAll(async () => {
  issuer = await startIssuer();
});
afterAll(() => issuer[Symbol.asyncDispose]());

beforeEach(() => {
  const claims = { subject: 'sub', groups: ['groups'], attributes: { region: 'region' } };
  options = { issuer: issuer.url, audiences: ['other', 'sluice'], jwksUrl: null, claims, clockSkewMs: 60_000, graceMs: 0 };
  oidc = createOidc(options, Date.now);
});

test('a good token gives its facts; the session may last as long as the token', async () => {
  const exp = seconds() + 100;
  const { facts, endsAtMs } = await oidc.verify(await issuer.token({ groups: ['g'], region: 'EU', exp }));
  expect(facts).toEqual({ subject: 'oidc:ann', groups: ['oidc:g'], attributes: { region: ['EU'] } });
  expect(endsAtMs).toBe(exp * 1000 + 60_000);
  const lasting = createOidc({ ...options, graceMs: 5_000 }, Date.now);
  expect((await lasting.verify(await issuer.token({ exp }))).endsAtMs).toBe(exp * 1000 + 65_000);
});

test.each(['RS256', 'PS256', 'EdDSA', 'ES384'])('%s signs too', async (alg) => {
  const { publicKey, privateKey } = await makePair(alg);
  issuer.extraKeys = [{ ...(await exportJWK(publicKey)), kid: alg }];
  expect((await oidc.verify(await issuer.token({}, { alg, kid: alg }, privateKey))).facts.subject).toBe('oidc:ann');
});

test('clocks may differ by the skew and no more', async () => {
  const now = seconds();
  oidc = createOidc(options, () => now * 1000);
  await oidc.verify(await issuer.token({ exp: now - 59 }));
  await oidc.verify(await issuer.token({ nbf: now + 60 }));
  await expect(oidc.verify(await issuer.token({ exp: now - 61 }))).rejects.toThrow(/has expired/);
  await expect(oidc.verify(await issuer.token({ nbf: now + 61 }))).rejects.toThrow(invalid);
});

test.each([
  ['another issuer', { iss: 'https://evil.example' }],
  ['the issuer with a slash more', { iss: 'SLASH' }],
  ['another audience', { aud: 'elsewhere' }],
  ['other audiences', { aud: ['elsewhere', 'sluice2'] }],
  ['no audience', { aud: undefined }],
  ['no issuer', { iss: undefined }],
  ['no expiry', { exp: undefined }],
  ['an expiry as text', { exp: '9999999999' as unknown as number }],
  ['no subject', { sub: undefined }],
])('a token with %s is refused', async (_, claims) => {
  const changed = 'iss' in claims && claims.iss === 'SLASH' ? { iss: `${issuer.url}/` } : claims;
  const refused = issuer.token(changed as never).then(
    (token) => oidc.verify(token),
    () => Promise.reject({ code: 'auth.invalid' }),
  );
  await expect(refused).rejects.toEqual(invalid);
});

test('tokens of other kinds are refused, access and id tokens are not', async () => {
  for (const typ of ['JWT', 'jwt', 'at+jwt', 'application/at+jwt']) await oidc.verify(await issuer.token({}, { typ }));
  for (const typ of ['logout+jwt', 'secevent+jwt', 'dpop+jwt'])
    await expect(oidc.verify(await issuer.token({}, { typ }))).rejects.toThrow(invalid);
});

test('no signature, and signatures with the public key as a secret, are refused', async () => {
  const claims = { iss: issuer.url, aud: 'sluice', sub: 'steward', exp: seconds() + 300 };
  for (const alg of ['none', 'None', 'nOnE', '', null]) {
    for (const signature of ['', 'AAAA']) {
      await expect(oidc.verify(forgeToken({ alg, kid: 'k1' }, claims, signature)), String(alg)).rejects.toThrow(invalid);
    }
  }
  for (const secret of [issuer.publicKey(), 'secret', '']) {
    for (const alg of ['HS256', 'HS384', 'HS512']) {
      const forged = issuer.token({ sub: 'steward' }, { alg }, Buffer.from(secret.padEnd(64, '\0')));
      await expect(forged.then((token) => oidc.verify(token))).rejects.toThrow(invalid);
    }
  }
});

test('a key that the token itself brings or points to is not looked at', async () => {
  const evil = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const jwk = await exportJWK(evil.publicKey);
  const before = [...issuer.requests];
  for (const header of [
    { jwk },
    { jku: `${issuer.url}/evil-keys` },
    { x5u: `${issuer.url}/evil-cert` },
    { x5c: ['AAAA'] },
    { kid: '../../../../dev/null' },
    { kid: 'k1\u0000' },
    { kid: `${issuer.url}/evil` },
    { kid: ['k1'] },
    { kid: { toString: 'k1' } },
  ]) {
    await expect(oidc.verify(await issuer.token({ sub: 'steward' }, header, evil.privateKey)), JSON.stringify(header)).rejects.toThrow(
      invalid,
    );
  }
  expect([...issuer.requests.keys()].filter((path) => path.includes('evil'))).toEqual([]);
  expect(before.length).toBeLessThanOrEqual(2);
});

test('critical headers that nobody here knows are refused', async () => {
  const { protected: _, ...rest } = { protected: '', alg: 'ES256', kid: 'k1', crit: ['exp2'], exp2: 1 };
  await expect(oidc.verify(forgeToken(rest, { iss: issuer.url, aud: 'sluice', sub: 'a', exp: seconds() + 9 }, 'AAAA'))).rejects.toThrow(
    invalid,
  );
});

test('an oversized token is refused before anything is read of it', async () => {
  await expect(oidc.verify(await issuer.token({ pad: 'x'.repeat(20_000) }))).rejects.toThrow(/too long/);
});

test('a bit flipped anywhere is refused', async () => {
  const token = await issuer.token();
  const bytesOf = (text: string): string =>
    text
      .split('.')
      .map((part) => Buffer.from(part, 'base64url').toString('hex'))
      .join('.');
  await fc.assert(
    fc.asyncProperty(fc.nat(token.length - 1), fc.constantFrom(...'ABCDabcd0123_-.'), async (at, character) => {
      const changed = token.slice(0, at) + character + token.slice(at + 1);
      // The last character of a base64url part may carry unused bits.
      if (bytesOf(changed) === bytesOf(token)) return;
      await expect(oidc.verify(changed)).rejects.toThrow(invalid);
    }),
    { seed: SEED, numRuns: 200 },
  );
});

test('the refusal and its cause do not repeat the token', async () => {
  const token = await issuer.token({ aud: 'elsewhere' });
  const error = await oidc.verify(token).catch((thrown: Error) => thrown);
  expect(error).toMatchObject(invalid);
  const text = `${String(error)} ${String((error as Error).cause)}`;
  for (const part of token.split('.')) expect(text).not.toContain(part);
});

test('its sessions belong to these settings', () => {
  expect(createOidc({ ...options, audiences: ['sluice'] }, Date.now).credential).not.toEqual(oidc.credential);
  expect(createOidc(options, Date.now).credential).toEqual(oidc.credential);
});
