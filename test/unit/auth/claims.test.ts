import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type ClaimNames, readClaims } from '#src/auth/claims.js';
import { SEED } from '../../support/seed.ts';

const names: ClaimNames = {
  subject: 'sub',
  groups: ['groups', 'realm_access.roles'],
  attributes: { region: 'custom.region', team: 'team' },
};

test('subject and groups carry the prefix, attributes come from their claims', () => {
  expect(
    readClaims(
      {
        sub: 'ann',
        groups: ['analysts', 'analysts', 7],
        realm_access: { roles: ['reader'] },
        custom: { region: ['EU', 'US', 'EU'] },
        team: 12,
        extra: 'x',
      },
      names,
    ),
  ).toEqual({
    subject: 'oidc:ann',
    groups: ['oidc:analysts', 'oidc:7', 'oidc:reader'],
    attributes: { region: ['EU', 'US'], team: ['12'] },
  });
});

test('a claim of the whole name wins over a path', () => {
  const claims = { sub: 'ann', 'custom.region': 'EU', custom: { region: 'US' } };
  expect(readClaims(claims, names).attributes['region']).toEqual(['EU']);
});

test.each([undefined, null, 7, '', ' ', ['ann'], { sub: 'ann' }, 'a'.repeat(256), 'a\u0000b', 'a\nb', 'a\u202eb'])(
  'subject %j is refused',
  (sub) => {
    expect(() => readClaims({ sub }, names)).toThrow(expect.objectContaining({ code: 'auth.invalid' }));
  },
);

test('an e-mail address counts only when it is verified', () => {
  const byMail = { ...names, subject: 'email' };
  for (const email_verified of [undefined, false, 'true', 1]) {
    expect(() => readClaims({ email: 'ann@example.com', email_verified }, byMail)).toThrow(/not verified/);
  }
  expect(readClaims({ email: 'ann@example.com', email_verified: true }, byMail).subject).toBe('oidc:ann@example.com');
});

test('inherited properties are no claims', () => {
  const odd = { ...names, groups: ['constructor.name', '__proto__.x', 'toString'], attributes: { a: 'constructor' } };
  expect(readClaims({ sub: 'ann' }, odd)).toEqual({ subject: 'oidc:ann', groups: [], attributes: { a: [] } });
});

test('whatever the claims are, no name reaches out of its namespace and nothing throws but a refusal', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.constantFrom('sub', 'groups', 'realm_access', 'custom', 'team'), fc.jsonValue()), (claims) => {
      try {
        const { subject, groups } = readClaims(claims as Record<string, unknown>, names);
        return [subject, ...groups].every((name) => name.startsWith('oidc:'));
      } catch (error) {
        return (error as { code?: string }).code === 'auth.invalid';
      }
    }),
    { seed: SEED },
  );
});
