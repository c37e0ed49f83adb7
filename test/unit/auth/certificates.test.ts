import fc from 'fast-check';
import { expect, test } from 'vitest';
import { certificateNames } from '#src/auth/certificates.js';

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
  fc.assert(fc.property(fc.string(), (text) => namesOf(`URI:${JSON.stringify(text)}`, null).length === 0));
});
