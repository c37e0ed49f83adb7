import { X509Certificate } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { certificateNames } from '#src/auth/certificates.js';
import { SEED } from '../../support/seed.ts';
import { makeAuthority } from '../../support/tls.ts';

const namesOf = (subjectAltName: string | undefined, commonName: string | null = 'cn') =>
  certificateNames({ subjectAltName, commonName, validToMs: 0 });

test('URIs are the names; the common name counts only without any', () => {
  expect(namesOf('URI:sluice://user/etl, DNS:host, URI:spiffe://prod/etl')).toEqual(['sluice://user/etl', 'spiffe://prod/etl']);
  expect(namesOf('DNS:host, IP Address:127.0.0.1')).toEqual(['cn']);
  expect(namesOf(undefined)).toEqual(['cn']);
  expect(namesOf(undefined, null)).toEqual([]);
});

test('a name that Node had to quote is none, and forges none', () => {
  expect(namesOf('URI:"http://a\\u002c URI:sluice://user/steward", URI:sluice://user/etl')).toEqual(['sluice://user/etl']);
  expect(namesOf('DNS:"x, URI:sluice://user/steward"')).toEqual(['cn']);
});

test.each(['nonsense', 'URI:', 'URI:a,b', 'URI:a, ', ', URI:a', 'URI:"a', 'URI:a URI'])('%s does not read, so it proves nobody', (text) => {
  const names = namesOf(text);
  expect(names.every((name) => text === `URI:${name}`)).toBe(true);
});

test('no text makes two names out of one part', () => {
  fc.assert(
    fc.property(fc.string(), (text) => namesOf(`URI:${JSON.stringify(text)}`, null).length === 0),
    { seed: SEED },
  );
});

test('a real certificate proves no other URI than those that were signed', () => {
  const authority = makeAuthority('names');
  const part = fc.constantFrom('sluice://user/steward', 'URI:', 'DNS:', ', ', '"', '\\', '\\u002c', 'x', '\0', '\n', "'");
  const name = fc.array(part, { minLength: 1, maxLength: 6 }).map((parts) => parts.join(''));
  fc.assert(
    fc.property(fc.array(name, { minLength: 1, maxLength: 3 }), fc.array(name, { maxLength: 2 }), (uris, dns) => {
      const { certificate } = authority.issue({ commonName: 'cn', usage: 'client', uris, dns });
      const proven = namesOf(new X509Certificate(certificate).toLegacyObject().subjectaltname, 'cn');
      return proven.every((proof) => uris.includes(proof) || (proof === 'cn' && uris.length > 0));
    }),
    { seed: SEED, numRuns: 200 },
  );
});
