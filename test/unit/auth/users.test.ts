import { expect, test } from 'vitest';
import { createDirectory } from '#src/auth/users.js';
import type { User } from '#src/model.js';

const user = (name: string, certificate?: string): User => ({
  name,
  passwordHash: `hash of ${name}`,
  groups: [],
  attributes: {},
  ...(certificate === undefined ? {} : { certificate }),
});
const shown = (subjectAltName: string | undefined, commonName: string | null = null) => ({ subjectAltName, commonName, validToMs: 0 });

test('users are found by name and by the pinned certificate name', () => {
  let users: readonly User[] = [user('etl', 'sluice://user/etl'), user('ann', 'Ann'), user('bob')];
  const directory = createDirectory(() => users);
  expect(directory.find('bob')?.name).toBe('bob');
  expect(directory.find('__proto__')).toBeUndefined();
  expect(directory.ownerOf(shown('URI:sluice://user/etl'))?.name).toBe('etl');
  expect(directory.ownerOf(shown(undefined, 'Ann'))?.name).toBe('ann');
  expect(directory.passwordHashes()).toEqual(['hash of etl', 'hash of ann', 'hash of bob']);
  users = [user('eve')];
  expect(directory.find('bob')).toBeUndefined();
  expect(directory.find('eve')?.name).toBe('eve');
});

test('a certificate proves nobody by a name that is not pinned, or by the names of two users', () => {
  const users = [user('etl', 'sluice://user/etl'), user('ann', 'sluice://user/ann'), user('bob')];
  const directory = createDirectory(() => users);
  expect(directory.ownerOf(shown(undefined, 'bob'))).toBeUndefined();
  expect(directory.ownerOf(shown(undefined, 'sluice://user/other'))).toBeUndefined();
  expect(directory.ownerOf(shown('URI:sluice://user/other', 'ann'))).toBeUndefined();
  expect(directory.ownerOf(shown('URI:sluice://user/etl, URI:sluice://user/ann'))).toBeUndefined();
});
