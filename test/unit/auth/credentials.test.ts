import { expect, test } from 'vitest';
import { parseAuthorization } from '#src/auth/credentials.js';
import { makeToken } from '#src/auth/token-format.js';

const basic = { kind: 'password', user: 'u', password: ':p' };
const token = makeToken();
const encode = (text: string) => Buffer.from(text).toString('base64');

test.each([
  ['padded', 'Basic dTo6cA==', basic],
  ['unpadded', 'Basic dTo6cA', basic],
  ['lower case, more spaces', ' basic   dTo6cA== ', basic],
  ['UTF-8', `Basic ${Buffer.from('é:ü').toString('base64')}`, { kind: 'password', user: 'é', password: 'ü' }],
  ['empty password', `Basic ${Buffer.from('u:').toString('base64')}`, { kind: 'password', user: 'u', password: '' }],
  ['session', 'Bearer AQID', { kind: 'session', token: Buffer.from([1, 2, 3]) }],
  ['token', `Bearer ${token}`, { kind: 'token', user: null, token }],
  ['token as password', `Basic ${encode(`u:${token}`)}`, { kind: 'token', user: 'u', token }],
  ['mistyped token is a password', `Basic ${encode(`u:${token.slice(1)}`)}`, { kind: 'password', user: 'u', password: token.slice(1) }],
  ['JWT', 'Bearer ab-_.cd.ef', { kind: 'jwt', jwt: 'ab-_.cd.ef' }],
  ['JWT without signature', 'Bearer ab.cd.', { kind: 'jwt', jwt: 'ab.cd.' }],
  ['encrypted JWT', 'Bearer a.b.c.d.e', null],
  ['bearer of nothing', 'Bearer', null],
  ['no colon', `Basic ${Buffer.from('u').toString('base64')}`, null],
  ['no user', `Basic ${Buffer.from(':p').toString('base64')}`, null],
  ['not base64', 'Basic a:b', null],
  ['empty', '', null],
  ['scheme alone', 'Basic', null],
  ['another scheme', 'Digest AQID', null],
  ['two values', 'Basic dTo6cA== x', null],
])('%s', (_, header, expected) => {
  expect(parseAuthorization(header)).toEqual(expected);
});
