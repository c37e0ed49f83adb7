import { expect, test } from 'vitest';
import { Problems } from '#src/catalog/problems.js';
import { readUsers } from '#src/catalog/read-users.js';
import { hash } from './fixture.ts';

function read(text: string) {
  const problems = new Problems();
  return { users: readUsers(text, problems), problems: problems.list };
}

test('groups and attributes, numbers as they are written', () => {
  const { users, problems } = read(`users:
  ann:
    passwordHash: ${hash('a')}
    groups: [crew, crew]
    attributes: { region: [EU, US], level: 007, on: true, none: [] }
  bob@example.com: { passwordHash: ${hash('b')} }`);
  expect(problems).toEqual([]);
  expect(users).toEqual([
    {
      name: 'ann',
      passwordHash: hash('a'),
      groups: ['crew'],
      attributes: { region: ['EU', 'US'], level: ['007'], on: ['true'], none: [] },
    },
    { name: 'bob@example.com', passwordHash: hash('b'), groups: [], attributes: {} },
  ]);
});

test.each([
  ['plain'],
  ['scrypt$16384$8$1$c2FsdA=='],
  ['scrypt$16384$8$1$$aGFzaA=='],
  [`scrypt$16383$8$1$c2FsdA==$${'A'.repeat(44)}`],
  [`scrypt$512$8$1$c2FsdA==$${'A'.repeat(44)}`],
  [`scrypt$2097152$8$1$c2FsdA==$${'A'.repeat(44)}`],
  [`scrypt$16384$0$1$c2FsdA==$${'A'.repeat(44)}`],
  [`scrypt$16384$8$99$c2FsdA==$${'A'.repeat(44)}`],
  [`scrypt$16384$8$1$c2Fs!A==$${'A'.repeat(44)}`],
  ['scrypt$16384$8$1$c2FsdA==$c2hvcnQ='],
])('hash %s is refused', (text) => {
  expect(read(`users: { ann: { passwordHash: "${text}" } }`).problems).toEqual([
    'users.yaml:1: write scrypt$N$r$p$salt$hash, salt and hash in base64, or none',
  ]);
});

test.each([
  ['users: { ann: {} }', /needs passwordHash/],
  ['users: { "a b": { passwordHash: X } }', /"a b" is no name/],
  ['users: { "user:ann": { passwordHash: X } }', /is no name/],
  ['users: { ann: { passwordHash: X, password: secret } }', /unknown key password;/],
  ['users: { ann: { passwordHash: X, attributes: { region: } } }', /must be text, a number/],
  ['users: { ann: { passwordHash: X, attributes: { "a-b": x } } }', /no attribute name/],
  ['users: { ann: { passwordHash: X, attributes: { a: { b: c } } } }', /must be text, a number/],
  ['users: { ann: { passwordHash: X, groups: ["a b"] } }', /"a b" is no name/],
  ['users: { ann: { passwordHash: X }, ann: { passwordHash: X } }', /unique/],
  ['people: {}', /unknown key people/],
])('%s', (text, expected) => {
  expect(read(text.replaceAll('X', hash('x'))).problems.join('\n')).toMatch(expected);
});

test('a certificate names a user; without a password it says so', () => {
  const { users, problems } = read(`users:
  etl: { passwordHash: none, certificate: "sluice://user/etl" }
  ann: { passwordHash: ${hash('a')}, certificate: Ann }`);
  expect(problems).toEqual([]);
  expect(users).toEqual([
    { name: 'etl', passwordHash: '', certificate: 'sluice://user/etl', groups: [], attributes: {} },
    { name: 'ann', passwordHash: hash('a'), certificate: 'Ann', groups: [], attributes: {} },
  ]);
});

test.each([
  ['users: { a: { passwordHash: none, certificate: x }, b: { passwordHash: none, certificate: x } }', /another user has this certificate/],
  ['users: { a: { passwordHash: none, certificate: " " } }', /write a URI/],
  ['users: { a: { passwordHash: none, certificate: [x] } }', /must be text/],
  ['users: { a: { certificate: x } }', /needs passwordHash/],
  ['users: { a: { passwordHash: None } }', /or none/],
  ['users: { "oidc:ann": { passwordHash: none } }', /is no name/],
  ['users: { a: { passwordHash: none, groups: ["oidc:staff"] } }', /is no name/],
])('%s', (text, expected) => {
  expect(read(text).problems.join('\n')).toMatch(expected);
});

test('no complaint repeats a hash', () => {
  expect(read('users: { ann: { passwordHash: secret-looking-thing } }').problems.join()).not.toContain('secret');
});
