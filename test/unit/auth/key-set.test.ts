import { jwtVerify } from 'jose';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createKeySet, type FindKey } from '#src/auth/key-set.js';
import { type Issuer, startIssuer } from '../../support/issuer.ts';

const MINUTE_MS = 60_000;
const unavailable = expect.objectContaining({ code: 'auth.unavailable' });

let issuer: Issuer;
let nowMs: number;
let findKey: FindKey;

beforeEach(async () => {
  issuer = await startIssuer();
  nowMs = 0;
  findKey = createKeySet({ issuer: issuer.url, jwksUrl: null, now: () => nowMs });
});

afterEach(() => issuer[Symbol.asyncDispose]());

const verify = async (token: string) => (await jwtVerify(token, findKey)).payload.sub;
const fetches = () => issuer.requests.get('/keys') ?? 0;

test('keys are found by discovery, once for many tokens', async () => {
  const token = await issuer.token();
  expect(await Promise.all(Array.from({ length: 20 }, () => verify(token)))).toEqual(Array(20).fill('ann'));
  expect(fetches()).toBe(1);
  expect(issuer.requests.get('/.well-known/openid-configuration')).toBe(1);
});

test('with a URL for the keys nothing is discovered', async () => {
  findKey = createKeySet({ issuer: 'https://elsewhere.example', jwksUrl: `${issuer.url}/keys`, now: () => nowMs });
  expect(await verify(await issuer.token())).toBe('ann');
  expect(issuer.requests.has('/.well-known/openid-configuration')).toBe(false);
});

test('a token of a new key fetches the keys again, at most every five seconds', async () => {
  await verify(await issuer.token());
  issuer.rotate('k2');
  const token = await issuer.token();
  await expect(verify(token)).rejects.toThrow(/no applicable key/);
  expect(fetches()).toBe(1);
  nowMs += 5_000;
  expect(await Promise.all([verify(token), verify(token)])).toEqual(['ann', 'ann']);
  expect(fetches()).toBe(2);
  const made = await Promise.all(Array.from({ length: 50 }, (_, i) => issuer.token({}, { kid: `made-up-${i}` })));
  for (const odd of made) await expect(verify(odd)).rejects.toThrow();
  expect(fetches()).toBe(2);
});

test('an outage keeps the known keys for an hour, then nothing verifies; afterwards all is well again', async () => {
  const token = await issuer.token({ exp: Math.floor(Date.now() / 1000) + 100_000 });
  await verify(token);
  issuer.fault = { status: 500, body: '' };
  nowMs += 11 * MINUTE_MS;
  expect(await verify(token)).toBe('ann');
  nowMs += 58 * MINUTE_MS;
  expect(await verify(token)).toBe('ann');
  nowMs += 2 * MINUTE_MS;
  await expect(verify(token)).rejects.toThrow(unavailable);
  issuer.fault = null;
  nowMs += 5_000;
  expect(await verify(token)).toBe('ann');
});

test('a key that was withdrawn stops within the time that keys stay fresh', async () => {
  const token = await issuer.token();
  await verify(token);
  issuer.rotate('k2');
  nowMs += 11 * MINUTE_MS;
  await verify(token);
  await expect.poll(fetches).toBe(2);
  await expect.poll(() => verify(token).catch((error: Error) => error.message)).toMatch(/no applicable key/);
});

test.each([
  ['an error', { status: 500, body: '{}' }],
  ['no JSON', { status: 200, body: 'hello' }],
  ['another issuer', { status: 200, body: '{"issuer":"https://evil.example","jwks_uri":"https://evil.example/keys","keys":[]}' }],
  ['no keys', { status: 200, body: '{"keys":[]}' }],
  ['symmetric keys only', { status: 200, body: '{"keys":[{"kty":"oct","k":"c2VjcmV0","kid":"k1"}]}' }],
])('%s instead of keys is an outage', async (_, fault) => {
  issuer.fault = fault;
  for (const jwksUrl of [null, `${issuer.url}/keys`]) {
    const find = createKeySet({ issuer: issuer.url, jwksUrl, now: () => nowMs });
    await expect(jwtVerify(await issuer.token(), find)).rejects.toThrow(unavailable);
  }
});

test('an outage is not asked again at each token', async () => {
  issuer.fault = { status: 500, body: '' };
  const token = await issuer.token();
  for (let i = 0; i < 20; i++) await expect(verify(token)).rejects.toThrow(unavailable);
  expect(issuer.requests.get('/.well-known/openid-configuration')).toBe(1);
});
