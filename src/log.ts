/** Structured log (pino). Secrets and statements with literals stay out; the audit log holds those. */
import { type Logger, pino } from 'pino';
import type { LogLevel } from './errors.ts';

export type { Logger };

/** Whatever the depth at which a field of such a name is logged, its value is not. */
const SECRET_NAME = /authorization|cookie|passw|secret|token|bearer|ticket|handle|(^|_|-)key$|[a-z]Key$/i;
const DEPTH_MAX = 6;

/** Writes JSON lines to stderr so that stdout stays for people. */
export function createLogger(level: LogLevel | 'silent'): Logger {
  const formatters = { log: (fields: Record<string, unknown>) => withoutSecrets(fields, 0) as Record<string, unknown> };
  return pino({ level, base: null, formatters, serializers: { err: describeError } }, pino.destination(2));
}

function withoutSecrets(value: unknown, depth: number): unknown {
  if (typeof value !== 'object' || value === null || value instanceof Error) return value;
  if (value instanceof Uint8Array) return `${value.length} bytes`;
  if (depth >= DEPTH_MAX) return 'too deep';
  if (Array.isArray(value)) return value.map((item) => withoutSecrets(item, depth + 1));
  const fields = Object.entries(value).map(([name, field]) => [
    name,
    SECRET_NAME.test(name) ? '[Redacted]' : withoutSecrets(field, depth + 1),
  ]);
  return Object.fromEntries(fields);
}

/** Errors of clients and drivers carry headers and rows in other fields than these. */
function describeError(error: unknown): unknown {
  if (!(error instanceof Error)) return withoutSecrets(error, 0);
  const { name, message, stack, cause } = error;
  const code = 'code' in error && (typeof error.code === 'string' || typeof error.code === 'number') ? { code: error.code } : {};
  return { type: name, message, ...code, stack, ...(cause instanceof Error ? { cause: cause.message } : {}) };
}
