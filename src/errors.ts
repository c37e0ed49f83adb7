/**
 * The error registry: every failure a client can see, with its gRPC status and log level.
 * `message` is public and carries no data value, hidden name, path or policy text; `cause` is for the log only.
 */

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

interface ErrorSpec {
  /** gRPC status name. */
  readonly status:
    | 'INVALID_ARGUMENT'
    | 'NOT_FOUND'
    | 'ALREADY_EXISTS'
    | 'PERMISSION_DENIED'
    | 'UNAUTHENTICATED'
    | 'RESOURCE_EXHAUSTED'
    | 'FAILED_PRECONDITION'
    | 'UNIMPLEMENTED'
    | 'UNAVAILABLE'
    | 'CANCELLED'
    | 'DEADLINE_EXCEEDED'
    | 'INTERNAL'
    | 'ABORTED';
  readonly log: LogLevel;
  readonly doc: string;
}

export type ErrorCode =
  | 'config.invalid'
  | 'auth.missing'
  | 'auth.invalid'
  | 'auth.throttled'
  | 'auth.unavailable'
  | 'token.invalid'
  | 'sql.empty'
  | 'sql.syntax'
  | 'sql.binding'
  | 'sql.refused'
  | 'sql.limit'
  | 'sql.runtime'
  | 'sql.type'
  | 'sql.parameter'
  | 'dataset.unknown'
  | 'dataset.exists'
  | 'dataset.changed'
  | 'dataset.invalid'
  | 'policy.denied'
  | 'policy.invalid'
  | 'policy.changed'
  | 'ticket.invalid'
  | 'ticket.expired'
  | 'ticket.principal'
  | 'ticket.version'
  | 'session.expired'
  | 'request.malformed'
  | 'request.unimplemented'
  | 'service.unknown'
  | 'request.cancelled'
  | 'request.deadline'
  | 'limit.busy'
  | 'limit.memory'
  | 'limit.row'
  | 'limit.time'
  | 'limit.idle'
  | 'limit.result'
  | 'limit.scratch'
  | 'metadata.unavailable'
  | 'metadata.version'
  | 'metadata.conflict'
  | 'storage.unavailable'
  | 'server.unavailable'
  | 'server.internal';

export const ERRORS: Readonly<Record<ErrorCode, ErrorSpec>> = {
  'config.invalid': {
    status: 'FAILED_PRECONDITION',
    log: 'error',
    doc: 'A setting is wrong or unknown; all are reported at once and the process does not start.',
  },
  'auth.missing': {
    status: 'UNAUTHENTICATED',
    log: 'info',
    doc: 'No credentials were sent. Handshake with user and password, or send a bearer token.',
  },
  'auth.invalid': { status: 'UNAUTHENTICATED', log: 'warn', doc: 'User, password or token is wrong or expired.' },
  'auth.throttled': {
    status: 'RESOURCE_EXHAUSTED',
    log: 'warn',
    doc: 'Too many failed logins for this user from this address, or from this address. The message says how long to wait.',
  },
  'auth.unavailable': {
    status: 'UNAVAILABLE',
    log: 'error',
    doc: 'What proves the caller can not be read now: the keys of the OpenID provider, or the stored tokens. Try again.',
  },
  'token.invalid': {
    status: 'INVALID_ARGUMENT',
    log: 'info',
    doc: 'A personal access token of that name exists or does not exist, or its name or lifetime is out of bounds.',
  },
  'sql.empty': { status: 'INVALID_ARGUMENT', log: 'debug', doc: 'The statement is empty.' },
  'sql.syntax': { status: 'INVALID_ARGUMENT', log: 'debug', doc: 'The statement does not parse.' },
  'sql.binding': { status: 'INVALID_ARGUMENT', log: 'debug', doc: 'A name or type in the statement does not resolve.' },
  'sql.refused': { status: 'INVALID_ARGUMENT', log: 'info', doc: 'The statement uses something that Sluice does not allow.' },
  'sql.limit': { status: 'INVALID_ARGUMENT', log: 'info', doc: 'The statement is larger or deeper than the configured limits.' },
  'sql.runtime': {
    status: 'INVALID_ARGUMENT',
    log: 'info',
    doc: 'An expression of the statement failed on the data. The value is in the audit log only.',
  },
  'sql.type': { status: 'UNIMPLEMENTED', log: 'info', doc: 'A result column has a type that has no Arrow mapping. Cast it.' },
  'sql.parameter': {
    status: 'INVALID_ARGUMENT',
    log: 'info',
    doc: 'A parameter of the statement is missing, or its value does not fit the type that the statement needs.',
  },
  'dataset.unknown': { status: 'NOT_FOUND', log: 'info', doc: 'The dataset does not exist or may not be read. Both look the same.' },
  'dataset.exists': { status: 'ALREADY_EXISTS', log: 'info', doc: 'There is already a table of that name. Drop or replace it.' },
  'dataset.changed': { status: 'ABORTED', log: 'info', doc: 'The table changed while something was written to it. Try again.' },
  'dataset.invalid': {
    status: 'FAILED_PRECONDITION',
    log: 'info',
    doc: 'The files can not be registered as one dataset, or not as the catalog has it. The message says what does not go together and in how many files.',
  },
  'policy.denied': { status: 'PERMISSION_DENIED', log: 'info', doc: 'The principal lacks the right that the request needs.' },
  'policy.invalid': {
    status: 'FAILED_PRECONDITION',
    log: 'error',
    doc: 'The policy directory does not load. `problems` lists every fault.',
  },
  'policy.changed': { status: 'ABORTED', log: 'info', doc: 'The policy changed between planning and reading. Plan again.' },
  'ticket.invalid': { status: 'INVALID_ARGUMENT', log: 'warn', doc: 'The ticket or handle was not made by this cluster, or was altered.' },
  'ticket.expired': { status: 'FAILED_PRECONDITION', log: 'info', doc: 'The ticket or handle has expired. Plan again.' },
  'ticket.principal': { status: 'PERMISSION_DENIED', log: 'warn', doc: 'The ticket belongs to another principal.' },
  'ticket.version': {
    status: 'UNAVAILABLE',
    log: 'warn',
    doc: 'The ticket was made by a newer release than this server, which happens while a cluster is upgraded. Use another location.',
  },
  'session.expired': {
    status: 'UNAUTHENTICATED',
    log: 'info',
    doc: 'The session cookie has expired, was altered, or belongs to another principal. Set the options again.',
  },
  'request.malformed': { status: 'INVALID_ARGUMENT', log: 'info', doc: 'The request is not a valid Flight SQL message.' },
  'request.unimplemented': { status: 'UNIMPLEMENTED', log: 'debug', doc: 'The command is part of Flight SQL but not of this server.' },
  'service.unknown': { status: 'NOT_FOUND', log: 'debug', doc: 'A health check asks about a service that is not here.' },
  'request.cancelled': { status: 'CANCELLED', log: 'debug', doc: 'The client cancelled the request.' },
  'request.deadline': { status: 'DEADLINE_EXCEEDED', log: 'info', doc: 'The deadline that the client set has passed.' },
  'limit.busy': { status: 'RESOURCE_EXHAUSTED', log: 'warn', doc: 'Too many queries run at once. Try again.' },
  'limit.memory': {
    status: 'RESOURCE_EXHAUSTED',
    log: 'warn',
    doc: 'The query needs more memory, or room to spill to, than it may use. Others go on.',
  },
  'limit.scratch': {
    status: 'RESOURCE_EXHAUSTED',
    log: 'info',
    doc: 'The tables in the scratch schema would take more room, or be more, than one principal may have. Drop some.',
  },
  'limit.row': { status: 'RESOURCE_EXHAUSTED', log: 'info', doc: 'A single row is larger than the largest message.' },
  'metadata.unavailable': {
    status: 'UNAVAILABLE',
    log: 'error',
    doc: 'The metadata service has not answered for longer than the grace time; nothing is planned until it does.',
  },
  'metadata.version': { status: 'FAILED_PRECONDITION', log: 'error', doc: 'The metadata was written by a newer Sluice. Upgrade this one.' },
  'metadata.conflict': {
    status: 'ABORTED',
    log: 'info',
    doc: "Somebody else changed the policy set or a dataset's index first. Look at what is there now and try again.",
  },
  'limit.time': { status: 'DEADLINE_EXCEEDED', log: 'info', doc: 'The query ran longer than a query may.' },
  'limit.idle': {
    status: 'DEADLINE_EXCEEDED',
    log: 'info',
    doc: 'The client left a result unread for too long. A client that reads nothing sees its stream reset instead.',
  },
  'limit.result': { status: 'RESOURCE_EXHAUSTED', log: 'info', doc: 'The result is larger than a result may be.' },
  'storage.unavailable': { status: 'UNAVAILABLE', log: 'error', doc: 'The data could not be read from its storage. Try again.' },
  'server.unavailable': { status: 'UNAVAILABLE', log: 'info', doc: 'The server is shutting down. Try another one.' },
  'server.internal': { status: 'INTERNAL', log: 'error', doc: 'A fault of Sluice. The log has the details under the request id.' },
};

/** What a client is told of a storage service: what to do, and no bucket, key or credential. */
export const STORAGE_FAULTS = {
  gone: 'the data could not be read from its storage: it changed or was removed; run the query again',
  refused: 'the data could not be read: its storage refuses the credentials it was asked with; try again, or ask a steward to renew them',
  busy: 'the storage of the data is too busy; try again in a moment',
  silent: 'the data could not be read: its storage does not answer; try again',
  other: 'the data could not be read from its storage',
} as const;

export type StorageFault = keyof typeof STORAGE_FAULTS;

/** The one error class. `message` goes to the client as it is. */
export class SluiceError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'SluiceError';
    this.code = code;
  }
}

/** Throws a SluiceError; `cause` never reaches the client. */
export function fail(code: ErrorCode, message: string, cause?: unknown): never {
  throw new SluiceError(code, message, cause);
}

/** Whether the system, or another program, gave this code: `ENOENT`, or an SQLSTATE. */
export function hasCode(error: unknown, ...codes: readonly string[]): boolean {
  return error instanceof Error && 'code' in error && codes.some((code) => code === error.code);
}

/** The only conversion of a foreign error at the edge: its text stays inside. */
export function toSluiceError(error: unknown): SluiceError {
  return error instanceof SluiceError ? error : new SluiceError('server.internal', 'internal error', error);
}
