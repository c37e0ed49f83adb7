/** What went wrong at a store, as a sentence that says what to do and names nothing. */
import { SluiceError, STORAGE_FAULTS, type StorageFault } from '../errors.ts';

/** `cause` keeps the store's own words for the log. */
export function storageError(cause: unknown): SluiceError {
  return cause instanceof SluiceError
    ? cause
    : new SluiceError('storage.unavailable', STORAGE_FAULTS[faultOf(cause)], new StoreError(cause));
}

/** The SDK's errors carry whole requests, with their signatures: only name and text stay. */
export class StoreError extends Error {
  readonly fault: StorageFault;

  constructor(cause: unknown) {
    super(cause instanceof Error ? `${cause.name}: ${cause.message}` : String(cause));
    this.name = 'StoreError';
    this.fault = faultOf(cause);
  }
}

const REFUSED: ReadonlySet<unknown> = new Set([
  'AccessDenied',
  'AuthorizationHeaderMalformed',
  'ExpiredToken',
  'ExpiredTokenException',
  'InvalidAccessKeyId',
  'InvalidToken',
  'RequestExpired',
  'SignatureDoesNotMatch',
  'CredentialsProviderError',
  'TokenProviderError',
  'XAdminUserNotFound',
]);
const GONE: ReadonlySet<unknown> = new Set(['NoSuchKey', 'NotFound', 'ENOENT', 'ENOTDIR']);
const UNREACHED = /^(ECONN\w+|ETIMEDOUT|EPIPE|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|ERR_\w+|\w*(Timeout|Abort)\w*)$/;
const BUSY: ReadonlySet<unknown> = new Set(['SlowDown', 'ServiceUnavailable', 'TooManyRequestsException', 'ThrottlingException']);

export function faultOf(error: unknown): StorageFault {
  if (typeof error !== 'object' || error === null) return 'other';
  const { name, code, $metadata } = error as {
    readonly name?: unknown;
    readonly code?: unknown;
    readonly $metadata?: { httpStatusCode?: number };
  };
  const status = $metadata?.httpStatusCode;
  if (status === 401 || status === 403 || REFUSED.has(name)) return 'refused';
  if (GONE.has(name) || GONE.has(code)) return 'gone';
  if (status === 429 || status === 503 || BUSY.has(name)) return 'busy';
  return [name, code].some((word) => typeof word === 'string' && UNREACHED.test(word)) ? 'silent' : 'other';
}
