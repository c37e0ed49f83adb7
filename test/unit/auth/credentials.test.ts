import { expect, test } from 'vitest';
import { parseAuthorization } from '#src/auth/credentials.js';

const basic = { kind: 'basic', user: 'u', password: ':p' };

test.each([
  ['padded', 'Basic dTo6cA==', basic],
  ['unpadded', 'Basic dTo6cA', basic],
  ['lower case, more spaces', ' basic   dTo6cA== ', basic],
  ['UTF-8', `Basic ${Buffer.from('é:ü').toString('base64')}`, { kind: 'basic', user: 'é', password: 'ü' }],
  ['empty password', `Basic ${Buffer.from('u:').toString('base64')}`, { kind: 'basic', user: 'u', password: '' }],
  ['bearer', 'Bearer AQID', { kind: 'bearer', token: Buffer.from([1, 2, 3]) }],
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
