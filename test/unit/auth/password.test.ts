import { scryptSync } from 'node:crypto';
import { expect, test } from 'vitest';
import { distinctCosts, hashPassword, verifyPassword } from '#src/auth/password.js';
import { cpuMsOf } from '../../support/patience.ts';

test('a hash verifies its own password only, and has its own salt', async () => {
  const [hash, other] = await Promise.all([hashPassword('sésame'), hashPassword('sésame')]);
  expect(hash).toMatch(/^scrypt\$32768\$8\$3\$[A-Za-z0-9+/=]+\$[A-Za-z0-9+/=]+$/);
  expect(hash).not.toBe(other);
  expect(await verifyPassword('sésame', hash)).toBe(true);
  expect(await verifyPassword('sesame', hash)).toBe(false);
  expect(await verifyPassword('', hash)).toBe(false);
});

test('hashes that do not parse or cost too much verify nothing', async () => {
  const [, , , , salt, hash] = (await hashPassword('x')).split('$');
  const bad = ['', 'x', 'scrypt$16384$8$1$$', 'scrypt$16384$8$1$AAAA$AAAA', `plain$32768$8$3$${salt}$${hash}`];
  const costly = ['16383$8$1', '1$8$1', '16384$0$1', '16384$8$99', '1073741824$8$1', 'NaN$8$1', '-2$8$1'].map(
    (cost) => `scrypt$${cost}$${salt}$${hash}`,
  );
  for (const text of [...bad, ...costly]) expect(await verifyPassword('x', text), text).toBe(false);
});

const cheap = (password: string, N = 1024) => {
  const hash = scryptSync(password, 'salt', 32, { N, r: 8, p: 1 }).toString('base64');
  return `scrypt$${N}$8$1$${Buffer.from('salt').toString('base64')}$${hash}`;
};

test('hashes of other costs verify', async () => {
  for (const N of [1024, 16_384]) {
    expect(await verifyPassword('x', cheap('x', N))).toBe(true);
    expect(await verifyPassword('y', cheap('x', N))).toBe(false);
  }
});

test('the different costs in use, and the default when there is none', () => {
  expect(distinctCosts([cheap('a'), cheap('b'), cheap('c', 16_384), '', 'nonsense'])).toEqual(['1024$8$1', '16384$8$1']);
  expect(distinctCosts(['', 'nonsense'])).toEqual(['32768$8$3']);
});

test('a failure pays every cost once, whether the name is known, unknown or without a password', async () => {
  const costs = distinctCosts([cheap('a', 2048), cheap('b', 16_384)]);
  const times = [cheap('a', 2048), cheap('b', 16_384), ''].map((hash) => ({ hash, ms: Number.POSITIVE_INFINITY }));
  const spread = (): number => Math.max(...times.map(({ ms }) => ms)) / Math.min(...times.map(({ ms }) => ms));
  // The least of more and more tries comes near to what the work itself costs, whatever else the machine does.
  for (let round = 0; round < 5 || (round < 100 && spread() >= 3); round++)
    for (const time of times) {
      const ms = await cpuMsOf(async () => expect(await verifyPassword('x', time.hash, costs)).toBe(false));
      time.ms = Math.min(time.ms, ms);
    }
  expect(spread()).toBeLessThan(3);
});

test('a flood of logins waits in a bounded queue and is refused beyond it', async () => {
  const hash = cheap('x');
  const results = await Promise.allSettled(Array.from({ length: 80 }, () => verifyPassword('x', hash)));
  const refused = results.filter((result) => result.status === 'rejected');
  expect(refused).toHaveLength(80 - 66);
  expect(refused[0]).toMatchObject({ reason: { code: 'limit.busy' } });
  expect(await verifyPassword('x', hash)).toBe(true);
});
