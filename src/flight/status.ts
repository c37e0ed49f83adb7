/** Errors → gRPC status and audit outcome: the registry decides, and only public text leaves. */
import { status } from '@grpc/grpc-js';
import type { AuditOutcome } from '../audit.ts';
import { ERRORS, type SluiceError } from '../errors.ts';

/** Many clients and proxies cap all headers at 8 KiB, and each byte may become three. */
const MAX_MESSAGE_CHARS = 2000;

const SERVER_SIDE: ReadonlySet<string> = new Set(['INTERNAL', 'UNAVAILABLE', 'RESOURCE_EXHAUSTED', 'DEADLINE_EXCEEDED']);

/** gRPC status code of the error. */
export function grpcCode(error: SluiceError): status {
  return status[ERRORS[error.code].status];
}

/** The text for the client; an internal fault names the request so that the log can be searched. */
export function publicMessage(error: SluiceError, requestId: string): string {
  if (error.code === 'server.internal') return `internal error, request ${requestId}`;
  // A lone surrogate would make grpc-js throw while it percent-encodes the trailer.
  return Buffer.from(error.message.slice(0, MAX_MESSAGE_CHARS)).toString();
}

export function outcomeOf(error: SluiceError): AuditOutcome {
  if (error.code === 'request.cancelled' || error.code === 'request.deadline') return 'cancelled';
  return error.code === 'sql.runtime' || SERVER_SIDE.has(ERRORS[error.code].status) ? 'error' : 'refused';
}
