/** DuckDB's errors become Sluice's, by the class that begins the text. Values, paths and policy stay in `cause`. */
import { type ErrorCode, SluiceError, STORAGE_FAULTS, type StorageFault } from '../errors.ts';
import { type Failure, JobError } from './jobs.ts';

interface PublicError {
  readonly code: ErrorCode;
  readonly text: string;
}

const RUNTIME: readonly (readonly [prefix: string, error: PublicError])[] = [
  ['Conversion Error', { code: 'sql.runtime', text: 'a value could not be converted to the type that the statement asks for' }],
  ['Out of Range Error', { code: 'sql.runtime', text: 'a value is out of the range of its type' }],
  ['Invalid Input Error', { code: 'sql.runtime', text: 'a function was given a value it does not accept' }],
  ['Divide by Zero Error', { code: 'sql.runtime', text: 'division by zero' }],
  ['Mismatch Type Error', { code: 'sql.runtime', text: 'a value has another type than the statement asks for' }],
  ['Out of Memory Error', { code: 'limit.memory', text: 'the query needs more memory than it may use; ask for less, or in parts' }],
  ['INTERRUPT Error', { code: 'request.cancelled', text: 'the request was cancelled' }],
  ['IO Error', { code: 'storage.unavailable', text: STORAGE_FAULTS.other }],
  ['HTTP Error', { code: 'storage.unavailable', text: STORAGE_FAULTS.other }],
  ['Permission Error', { code: 'storage.unavailable', text: STORAGE_FAULTS.other }],
  ['INTERNAL Error', { code: 'server.internal', text: 'internal error' }],
  ['FATAL Error', { code: 'server.internal', text: 'internal error' }],
];
const OTHER: PublicError = { code: 'sql.runtime', text: 'an expression of the statement failed on the data' };

/** For a statement that runs on data. */
export function runtimeError(error: unknown): SluiceError {
  if (error instanceof SluiceError) return error;
  const failure = error instanceof JobError ? error.failure : null;
  if (failure === null) return internal(error);
  switch (failure.kind) {
    case 'duckdb': {
      const { code, text } = classify(failure.text);
      return new SluiceError(code, text, error);
    }
    case 'digits':
      return new SluiceError('sql.runtime', 'an integer has more than 38 digits; cast it to VARCHAR or DOUBLE', error);
    default:
      return commonError(failure, error);
  }
}

/** The disk for what is spilled is full: memory's end, not the data's. */
const SPILL_FAILED = /^IO Error: (?:[^\n]*duckdb_temp|(?:Could not write|Failed to write)[^\n]*No space left)/;

/** Of the first line, what httpfs says of a store. */
const STORE_FAULTS: readonly (readonly [RegExp, StorageFault])[] = [
  [/\(HTTP 40[013] /, 'refused'],
  [/\(HTTP (?:404|412|416) |^IO Error: ETag /, 'gone'],
  [/\(HTTP (?:429|503) /, 'busy'],
  [/^(?:IO|HTTP) Error: (?:[^'"]* error for HTTP [A-Z]+ to |[^'"]*(?:[Tt]imeout|timed out|[Cc]onnection|SSL))/, 'silent'],
];

function classify(text: string): PublicError {
  if (/^(?:IO|HTTP) Error/.test(text)) {
    const fault = STORE_FAULTS.find(([pattern]) => pattern.test(firstLine(text)))?.[1];
    if (fault !== undefined) return { code: 'storage.unavailable', text: STORAGE_FAULTS[fault] };
  }
  if (SPILL_FAILED.test(text))
    return { code: 'limit.memory', text: 'the query needs more room for intermediate data than there is; ask for less, or in parts' };
  return RUNTIME.find(([prefix]) => text.startsWith(prefix))?.[1] ?? OTHER;
}

/** For statements that Sluice wrote: a fault of the storage, or Sluice's own. */
export function ownStatementError(error: unknown): SluiceError {
  if (error instanceof SluiceError) return error;
  if (error instanceof JobError && error.failure.kind === 'deadline') return commonError(error.failure, error);
  const text = error instanceof JobError && error.failure.kind === 'duckdb' ? error.failure.text : '';
  const { code, text: publicText } = classify(text);
  return code === 'storage.unavailable' || code === 'limit.memory' || code === 'request.cancelled'
    ? new SluiceError(code, publicText, error)
    : internal(error);
}

/** For a statement that is only bound. `hidden` names are Sluice's, not the user's. */
export function bindError(error: unknown, hidden: readonly string[]): SluiceError {
  if (error instanceof SluiceError) return error;
  const failure = error instanceof JobError ? error.failure : null;
  if (failure === null) return internal(error);
  if (failure.kind !== 'duckdb') return commonError(failure, error);
  const { text } = failure;
  if (text.startsWith('Parser Error')) return new SluiceError('sql.syntax', firstLine(text), error);
  if (text.startsWith('INTERNAL Error') || text.startsWith('FATAL Error')) return internal(error);
  if (text.startsWith('Out of Memory Error')) return new SluiceError('limit.memory', classify(text).text, error);
  if (!/^(Binder|Catalog) Error/.test(text)) return new SluiceError('sql.binding', 'the statement does not bind', error);
  return new SluiceError('sql.binding', scrub(text, hidden), error);
}

const STATEMENTS: Readonly<Record<number, string>> = {
  2: 'INSERT',
  3: 'UPDATE',
  4: 'EXPLAIN',
  5: 'DELETE',
  6: 'PREPARE',
  7: 'CREATE',
  8: 'EXECUTE',
  9: 'ALTER',
  10: 'transaction',
  11: 'COPY',
  12: 'ANALYZE',
  13: 'SET VARIABLE',
  15: 'DROP',
  16: 'EXPORT',
  17: 'PRAGMA',
  18: 'VACUUM',
  19: 'CALL',
  20: 'SET',
  21: 'LOAD',
  25: 'ATTACH',
  26: 'DETACH',
};

function commonError(failure: Failure, error: unknown): SluiceError {
  if (failure.kind === 'type') {
    const { type } = failure;
    const text =
      type === 'UNKNOWN'
        ? 'a result column has no type yet: cast the parameter'
        : `a result column has type ${type}, which has no Arrow form: cast it`;
    return new SluiceError('sql.type', text, error);
  }
  if (failure.kind === 'twin')
    return new SluiceError('sql.binding', `two columns are called ${JSON.stringify(failure.column)}: give them different aliases`, error);
  if (failure.kind === 'width') {
    const { found, expected } = failure;
    return new SluiceError('sql.binding', `the query has ${found} columns, but the table takes ${expected}`, error);
  }
  if (failure.kind === 'statement') {
    const name = STATEMENTS[failure.statementType];
    return new SluiceError('sql.refused', `only SELECT statements are allowed${name === undefined ? '' : `, not ${name}`}`, error);
  }
  if (failure.kind === 'deadline') return new SluiceError('sql.limit', 'the statement takes too long to analyse; make it simpler', error);
  return internal(error);
}

function internal(error: unknown): SluiceError {
  return new SluiceError('server.internal', 'internal error', error);
}

function firstLine(text: string): string {
  return (text.split('\n', 1)[0] ?? '').trim();
}

/**
 * The first line only: hints ("Did you mean", candidate lists) and the statement's echo come after it or are cut.
 * A line that still names something of Sluice's is replaced as a whole.
 */
function scrub(text: string, hidden: readonly string[]): string {
  const line = firstLine(text)
    .replace(/(^|[.!?]\s*)(did you mean|candidate\b|perhaps you meant).*$/is, '$1')
    .trim();
  const lower = line.toLowerCase();
  const isHidden = [...hidden, '__source', 'getvariable', 'src_', 'system.', 'duckdb_', 'pg_catalog', 'read_parquet'].some((name) =>
    lower.includes(name.toLowerCase()),
  );
  return isHidden || /(^|[\s"'(])\/\S/.test(line) ? 'Binder Error: a name or type in the statement does not resolve' : line;
}
