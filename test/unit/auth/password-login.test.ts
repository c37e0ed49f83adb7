import { scryptSync } from 'node:crypto';
import { beforeEach, expect, test, vi } from 'vitest';
import { createPasswordLogin, type PasswordLogin } from '#src/auth/password-login.js';
import { createThrottle, type Throttle } from '#src/auth/throttle.js';
import { createDirectory } from '#src/auth/users.js';
import type { User } from '#src/model.js';

const invalid = expect.objectContaining({ code: 'auth.invalid', message: 'user or password is wrong' });
const throttled = expect.objectContaining({ code: 'auth.throttled' });

/** Cheap, so that the tests are about logins, not about scrypt. */
const hashOf = (password: string) =>
  `scrypt$1024$8$1$${Buffer.from('salt').toString('base64')}$${scryptSync(password, 'salt', 32, { N: 1024, r: 8, p: 1 }).toString('base64')}`;
const user = (name: string, password: string): User => ({ name, passwordHash: hashOf(password), groups: [], attributes: {} });

let users: readonly User[];
let nowMs: number;
let throttle: Throttle;
let login: PasswordLogin;

beforeEach(() => {
  users = [user('ada', 'secret'), user('bob', 'secret'), { ...user('etl', ''), passwordHash: '' }];
  nowMs = 1_000_000;
  throttle = createThrottle(() => nowMs);
  login = createPasswordLogin(
    createDirectory(() => users),
    throttle,
    () => nowMs,
  );
});

const guess = (name: string, password: string, address = 'home') => login({ user: name, password, address });

test('right, wrong, unknown and without a password', async () => {
  expect(await guess('ada', 'secret')).toBe(users[0]);
  for (const [name, password] of [
    ['ada', 'wrong'],
    ['nobody', 'secret'],
    ['etl', ''],
    ['etl', 'none'],
    ['ADA', 'secret'],
  ] as const) {
    await expect(guess(name, password)).rejects.toThrow(invalid);
  }
});

test('a login that is remembered does not outlive its hash', async () => {
  await guess('ada', 'secret');
  users = [user('ada', 'changed')];
  await expect(guess('ada', 'secret')).rejects.toThrow(invalid);
  users = [];
  await expect(guess('ada', 'secret')).rejects.toThrow(invalid);
});

test('a pool that logs in all at once counts as one guess, right or wrong', async () => {
  await Promise.all(Array.from({ length: 100 }, () => guess('ada', 'secret')));
  const failures = await Promise.allSettled(Array.from({ length: 100 }, () => guess('bob', 'wrong')));
  for (const failure of failures) expect(failure).toMatchObject({ reason: { code: 'auth.invalid' } });
  expect(await guess('bob', 'secret')).toBe(users[1]);
});

test('parallel guesses are counted before their answers are known', async () => {
  const results = await Promise.allSettled(Array.from({ length: 30 }, (_, i) => guess('ada', `guess ${i}`)));
  const codes = results.map((result) => result.status === 'rejected' && result.reason.code);
  expect(codes.filter((code) => code === 'auth.invalid')).toHaveLength(6);
  expect(codes.filter((code) => code === 'auth.throttled')).toHaveLength(24);
});

test('while a caller has to wait, also the right password is refused, remembered or not, and known names look like unknown ones', async () => {
  await guess('ada', 'secret');
  for (const name of ['ada', 'nobody']) {
    for (let i = 0; i < 6; i++) await expect(guess(name, `guess ${i}`)).rejects.toThrow(invalid);
    await expect(guess(name, 'secret')).rejects.toThrow(throttled);
  }
  expect(await guess('ada', 'secret', 'elsewhere')).toBe(users[0]);
  nowMs += 1_000;
  expect(await guess('ada', 'secret')).toBe(users[0]);
  // Being right cleared the slate.
  for (let i = 0; i < 6; i++) await expect(guess('ada', `guess ${i}`)).rejects.toThrow(invalid);
});

test('an attempt that was refused for lack of capacity is no failure', async () => {
  const withdraw = vi.spyOn(throttle, 'withdraw');
  const flood = Array.from({ length: 80 }, (_, i) => guess(`user${i}`, 'x', `address${i}`));
  const results = await Promise.allSettled(flood);
  const busy = results.filter((result) => result.status === 'rejected' && result.reason.code === 'limit.busy');
  expect(busy.length).toBeGreaterThan(0);
  expect(withdraw).toHaveBeenCalledTimes(busy.length);
});
