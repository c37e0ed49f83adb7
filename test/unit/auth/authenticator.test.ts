import { beforeEach, describe, expect, test } from 'vitest';
import { type Authenticator, createAuthenticator, hashPassword } from '#src/auth/index.js';
import type { User } from '#src/model.js';
import { createSealer } from '#src/wire/index.js';

const sealer = createSealer([{ id: 'k1', key: new Uint8Array(32).fill(7) }]);
const passwordHash = await hashPassword('secret');
const ada: User = { name: 'ada', passwordHash, groups: ['staff'], attributes: { region: ['EU'] } };
const basic = (user: string, password: string) => `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
const invalid = expect.objectContaining({ code: 'auth.invalid' });

let users: Map<string, User>;
let nowMs: number;
let authenticator: Authenticator;

beforeEach(() => {
  users = new Map([['ada', ada]]);
  nowMs = 1_000_000;
  authenticator = createAuthenticator({ findUser: (name) => users.get(name), sealer, sessionTtlMs: 10_000, now: () => nowMs });
});

describe('Basic', () => {
  test('gives the principal and a bearer', async () => {
    const { principal, bearer } = await authenticator.authenticate(basic('ada', 'secret'));
    expect(principal).toEqual({ subject: 'ada', groups: ['staff'], attributes: { region: ['EU'] } });
    expect(bearer).toMatch(/^[A-Za-z0-9+/]+=*$/);
  });

  test('a wrong password and an unknown user fail alike', async () => {
    const failures = await Promise.allSettled([
      authenticator.authenticate(basic('ada', 'x')),
      authenticator.authenticate(basic('eve', 'x')),
    ]);
    const messages = failures.map((failure) => failure.status === 'rejected' && [failure.reason.code, failure.reason.message]);
    expect(messages).toEqual([
      ['auth.invalid', 'user or password is wrong'],
      ['auth.invalid', 'user or password is wrong'],
    ]);
  });

  test('an unknown user costs about as much as a wrong password', async () => {
    const time = async (user: string) => {
      const start = performance.now();
      await authenticator.authenticate(basic(user, 'x')).catch(() => {});
      return performance.now() - start;
    };
    await time('warm');
    const samples = { known: [] as number[], unknown: [] as number[] };
    for (let round = 0; round < 5; round++) {
      samples.known.push(await time('ada'));
      samples.unknown.push(await time('eve'));
    }
    expect(Math.min(...samples.unknown)).toBeGreaterThan(Math.min(...samples.known) / 3);
    expect(Math.min(...samples.known)).toBeGreaterThan(Math.min(...samples.unknown) / 3);
  });

  test('a repeated login is remembered for a minute, until the hash changes', async () => {
    const timed = async () => {
      const start = performance.now();
      await authenticator.authenticate(basic('ada', 'secret'));
      return performance.now() - start;
    };
    // scrypt at this cost takes tens of milliseconds everywhere; a remembered login well under one.
    expect(await timed()).toBeGreaterThan(10);
    expect(Math.min(await timed(), await timed(), await timed())).toBeLessThan(10);
    users.set('ada', { ...ada, passwordHash: await hashPassword('changed') });
    await expect(authenticator.authenticate(basic('ada', 'secret'))).rejects.toThrow(invalid);
    users.set('ada', ada);
    nowMs += 61_000;
    expect(await timed()).toBeGreaterThan(10);
  });
});

describe('a bearer', () => {
  const login = async () => `Bearer ${(await authenticator.authenticate(basic('ada', 'secret'))).bearer}`;

  test('is read at each call anew: facts follow the user', async () => {
    const bearer = await login();
    users.set('ada', { ...ada, groups: ['audit'], attributes: {} });
    expect((await authenticator.authenticate(bearer)).principal).toEqual({ subject: 'ada', groups: ['audit'], attributes: {} });
  });

  test('ends when unused for its time, and each call renews it', async () => {
    const first = await login();
    nowMs += 9_000;
    const renewed = `Bearer ${(await authenticator.authenticate(first)).bearer}`;
    nowMs += 9_000;
    await expect(authenticator.authenticate(first)).rejects.toThrow(invalid);
    expect((await authenticator.authenticate(renewed)).principal.subject).toBe('ada');
  });

  test('ends with its user and with its password', async () => {
    const bearer = await login();
    users.set('ada', { ...ada, passwordHash: await hashPassword('changed') });
    await expect(authenticator.authenticate(bearer)).rejects.toThrow(invalid);
    users.delete('ada');
    await expect(authenticator.authenticate(bearer)).rejects.toThrow(invalid);
  });

  test('of another purpose or altered is refused', async () => {
    const ticket = Buffer.from(sealer.seal('ticket', Buffer.from('x'))).toString('base64');
    for (const token of [ticket, 'AAAA', `${(await login()).slice(7, -8)}AAAAAAA=`]) {
      await expect(authenticator.authenticate(`Bearer ${token}`)).rejects.toThrow(invalid);
    }
  });
});

test('no header and an unknown scheme have their own errors', async () => {
  await expect(authenticator.authenticate(undefined)).rejects.toThrow(expect.objectContaining({ code: 'auth.missing' }));
  await expect(authenticator.authenticate('')).rejects.toThrow(expect.objectContaining({ code: 'auth.missing' }));
  await expect(authenticator.authenticate('Digest x')).rejects.toThrow(invalid);
});
