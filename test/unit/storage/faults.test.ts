import { expect, it } from 'vitest';
import { SluiceError } from '#src/errors.js';
import { faultOf, storageError } from '#src/storage/faults.js';

it.each<[unknown, string]>([
  [{ name: 'AccessDenied', $metadata: { httpStatusCode: 403 } }, 'refused'],
  [{ name: '403', $metadata: { httpStatusCode: 403 } }, 'refused'],
  [{ name: 'ExpiredToken', $metadata: { httpStatusCode: 400 } }, 'refused'],
  [{ name: 'CredentialsProviderError' }, 'refused'],
  [{ name: 'NotFound', $metadata: { httpStatusCode: 404 } }, 'gone'],
  [{ code: 'ENOENT' }, 'gone'],
  [{ name: 'NoSuchBucket', $metadata: { httpStatusCode: 404 } }, 'other'],
  [{ name: 'SlowDown', $metadata: { httpStatusCode: 503 } }, 'busy'],
  [{ name: 'TimeoutError' }, 'silent'],
  [{ name: 'Error', code: 'ECONNREFUSED' }, 'silent'],
  [{ name: 'Error', code: 'EACCES' }, 'other'],
  [{ name: 'InternalError', $metadata: { httpStatusCode: 500 } }, 'other'],
  ['text', 'other'],
  [null, 'other'],
])('%j is %s', (error, fault) => {
  expect(faultOf(error)).toBe(fault);
});

it("tells a client nothing of the store's own words", () => {
  const cause = Object.assign(new Error('bucket secret-bucket, key AKIA1'), { name: 'AccessDenied', $response: {} });
  const error = storageError(cause);
  expect(error).toMatchObject({ code: 'storage.unavailable', cause: { message: `AccessDenied: ${cause.message}` } });
  expect(JSON.stringify(error.cause)).not.toContain('$response');
  expect(error.message).not.toMatch(/secret|AKIA|bucket/);
  const own = new SluiceError('storage.unavailable', 'changed');
  expect(storageError(own)).toBe(own);
});
