import { expect, test } from 'vitest';
import { hashPassword, verifyPassword } from '#src/auth/password.js';

test('a hash verifies its own password only, and has its own salt', async () => {
  const [hash, other] = await Promise.all([hashPassword('sésame'), hashPassword('sésame')]);
  expect(hash).toMatch(/^scrypt\$16384\$8\$1\$[A-Za-z0-9+/=]+\$[A-Za-z0-9+/=]+$/);
  expect(hash).not.toBe(other);
  expect(await verifyPassword('sésame', hash)).toBe(true);
  expect(await verifyPassword('sesame', hash)).toBe(false);
  expect(await verifyPassword('', hash)).toBe(false);
});

test('hashes that do not parse or cost too much verify nothing', async () => {
  const [, , , , salt, hash] = (await hashPassword('x')).split('$');
  const bad = ['', 'x', 'scrypt$16384$8$1$$', 'scrypt$16384$8$1$AAAA$AAAA', `plain$16384$8$1$${salt}$${hash}`];
  const costly = ['16383$8$1', '1$8$1', '16384$0$1', '16384$8$99', '1073741824$8$1', 'NaN$8$1', '-2$8$1'].map(
    (cost) => `scrypt$${cost}$${salt}$${hash}`,
  );
  for (const text of [...bad, ...costly]) expect(await verifyPassword('x', text), text).toBe(false);
});

test('a flood of logins waits in a bounded queue and is refused beyond it', async () => {
  const hash = await hashPassword('x');
  const results = await Promise.allSettled(Array.from({ length: 80 }, () => verifyPassword('x', hash)));
  const refused = results.filter((result) => result.status === 'rejected');
  expect(refused).toHaveLength(80 - 66);
  expect(refused[0]).toMatchObject({ reason: { code: 'limit.busy' } });
  expect(await verifyPassword('x', hash)).toBe(true);
});
