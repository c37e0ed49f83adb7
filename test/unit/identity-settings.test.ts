import { expect, test } from 'vitest';
import { IDENTITY_SETTINGS } from '#src/identity-settings.js';

const parse = (name: string, text?: string): unknown => {
  const setting = IDENTITY_SETTINGS[name];
  if (setting === undefined) throw new Error(`${name} is missing`);
  return setting.parse(text ?? setting.default);
};

test('by default there is no TLS and no OpenID provider, and every time is finite', () => {
  for (const name of ['SLUICE_TLS_CERT', 'SLUICE_TLS_KEY', 'SLUICE_TLS_CLIENT_CA', 'SLUICE_OIDC_ISSUER', 'SLUICE_OIDC_JWKS_URL'])
    expect(parse(name), name).toBeNull();
  const hour = 3_600_000;
  expect([parse('SLUICE_SESSION_MAX'), parse('SLUICE_TOKEN_TTL'), parse('SLUICE_TOKEN_TTL_MAX')]).toEqual([
    12 * hour,
    2160 * hour,
    8760 * hour,
  ]);
  expect([parse('SLUICE_OIDC_GRACE'), parse('SLUICE_CLOCK_SKEW')]).toEqual([0, 60_000]);
});

test.each([
  ['SLUICE_OIDC_ISSUER', 'http://id.example', /https/],
  ['SLUICE_OIDC_JWKS_URL', 'ftp://id.example', /https/],
  ['SLUICE_CLOCK_SKEW', '11m', /at most 10m/],
  ['SLUICE_TLS_CLIENT_AUTH', 'maybe', /none, require/],
  ['SLUICE_OIDC_SUBJECT_CLAIM', ' ', /empty/],
  ['SLUICE_OIDC_ATTRIBUTES', 'a b=c', /attribute=claim/],
  ['SLUICE_TOKEN_TTL_MAX', '366d', /duration/],
])('%s refuses %s', (name, text, message) => {
  expect(() => parse(name, text)).toThrow(message);
});
