import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { hashToken } from '#src/auth/token-format.js';
import { createTokenStore } from '#src/auth/token-store.js';
import { createTokens, type Tokens } from '#src/auth/tokens.js';
import type { Principal } from '#src/model.js';

const HOUR_MS = 3_600_000;
const invalid = expect.objectContaining({ code: 'token.invalid' });
const denied = expect.objectContaining({ code: 'policy.denied' });

let directory: string;
let nowMs: number;
let tokens: Tokens;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'sluice-tokens-'));
  nowMs = 10 * HOUR_MS;
  tokens = createTokens(createTokenStore(join(directory, 'tokens.json')), { ttlMs: 48 * HOUR_MS, ttlMaxMs: 100 * HOUR_MS }, () => nowMs);
});

afterEach(() => rm(directory, { recursive: true }));

test('a token is found by its hash until it expires; the file does not hold it', async () => {
  const { token, record } = await tokens.create('ada', 'laptop', null);
  expect(record).toMatchObject({ user: 'ada', name: 'laptop', expiresAtMs: nowMs + 48 * HOUR_MS });
  expect(await readFile(join(directory, 'tokens.json'), 'utf8')).not.toContain(token.slice(4, 20));
  expect(await tokens.find(hashToken(token))).toMatchObject({ user: 'ada' });
  expect(await tokens.find(hashToken('other'))).toBeUndefined();
  nowMs += 48 * HOUR_MS;
  expect(await tokens.find(hashToken(token))).toBeUndefined();
  expect(await tokens.list('ada')).toEqual([]);
});

test('its use is noted to the hour', async () => {
  const { token } = await tokens.create('ada', 'laptop', null);
  nowMs += 90_000;
  await Promise.all(Array.from({ length: 20 }, () => tokens.find(hashToken(token))));
  expect((await tokens.list('ada'))[0]?.usedAtMs).toBe(10 * HOUR_MS);
  nowMs += HOUR_MS;
  await tokens.find(hashToken(token));
  expect((await tokens.list('ada'))[0]?.usedAtMs).toBe(11 * HOUR_MS);
});

test('a revoked one is gone; a name that is not there is said so, of whomever it is', async () => {
  const { token } = await tokens.create('ada', 'laptop', null);
  await tokens.create('bob', 'desk', null);
  for (const name of ['desk', 'nothing']) await expect(tokens.revoke('ada', name)).rejects.toThrow(`there is no token ${name}`);
  await tokens.revoke('ada', 'laptop');
  expect(await tokens.find(hashToken(token))).toBeUndefined();
  expect(await tokens.list('bob')).toHaveLength(1);
});

test('names and lifetimes have bounds', async () => {
  await tokens.create('ada', 'a b.c@d/e-f', 60_000);
  for (const name of ['', ' a', 'a'.repeat(65), 'a\nb', "a'b", 'a;b', 'a b.c@d/e-f']) {
    await expect(tokens.create('ada', name, null), name).rejects.toThrow(invalid);
  }
  for (const ttlMs of [0, -1, 59_999, 101 * HOUR_MS, Number.NaN, Number.POSITIVE_INFINITY]) {
    await expect(tokens.create('ada', 'b', ttlMs)).rejects.toThrow(invalid);
  }
  expect(await tokens.list('ada')).toHaveLength(1);
});

test('a user has fifty at most; expired ones do not count', async () => {
  for (let i = 0; i < 50; i++) await tokens.create('ada', `t${i}`, i === 0 ? 60_000 : null);
  await expect(tokens.create('ada', 'more', null)).rejects.toThrow(invalid);
  await tokens.create('bob', 'more', null);
  nowMs += 60_000;
  await tokens.create('ada', 'more', null);
});

test('tokens of users that are gone go too', async () => {
  const { token } = await tokens.create('ada', 'laptop', null);
  await tokens.create('bob', 'desk', null);
  await tokens.retain(['ada', 'bob']);
  await tokens.retain(['bob']);
  await tokens.retain(['ada', 'bob']);
  expect(await tokens.find(hashToken(token))).toBeUndefined();
  expect(await tokens.list('bob')).toHaveLength(1);
});

describe('the commands', () => {
  const ada: Principal = { subject: 'ada', groups: [], attributes: {}, via: 'password' };

  test('make, show and drop one’s own', async () => {
    const made = await tokens.run({ kind: 'createToken', name: 'laptop', ttlMs: HOUR_MS }, ada);
    expect(made).toEqual({ rows: [{ name: 'laptop', token: expect.stringMatching(/^slc_/), expires: new Date(nowMs + HOUR_MS) }] });
    const shown = { name: 'laptop', created: new Date(nowMs), expires: new Date(nowMs + HOUR_MS), used: null };
    expect(await tokens.run({ kind: 'showTokens' }, ada)).toEqual({ rows: [shown] });
    expect(await tokens.run({ kind: 'showTokens' }, { ...ada, subject: 'bob' })).toEqual({ rows: [] });
    await expect(tokens.run({ kind: 'dropToken', name: 'laptop' }, { ...ada, subject: 'bob' })).rejects.toThrow(invalid);
    expect(await tokens.run({ kind: 'dropToken', name: 'laptop' }, ada)).toEqual({ count: 1 });
  });

  test('a token makes no token, but may drop and show', async () => {
    const byToken: Principal = { ...ada, via: 'token' };
    await expect(tokens.run({ kind: 'createToken', name: 'x', ttlMs: null }, byToken)).rejects.toThrow(denied);
    await tokens.run({ kind: 'createToken', name: 'x', ttlMs: null }, ada);
    await tokens.run({ kind: 'showTokens' }, byToken);
    await tokens.run({ kind: 'dropToken', name: 'x' }, byToken);
  });

  test('principals of an OpenID provider have none', async () => {
    const { via: _, ...unknown } = ada;
    for (const principal of [{ ...ada, subject: 'oidc:ada', via: 'oidc' as const }, unknown]) {
      await expect(tokens.run({ kind: 'showTokens' }, principal)).rejects.toThrow(/OpenID provider/);
      await expect(tokens.run({ kind: 'createToken', name: 'x', ttlMs: null }, principal)).rejects.toThrow(denied);
    }
  });
});
