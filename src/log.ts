/** Structured log (pino). Secrets and statements with literals stay out; the audit log holds those. */
import { type Logger, pino } from 'pino';
import type { LogLevel } from './errors.ts';

export type { Logger };

/** Writes JSON lines to stderr so that stdout stays for people. */
export function createLogger(level: LogLevel | 'silent'): Logger {
  return pino(
    { level, base: null, redact: ['password', 'authorization', 'ticket', 'token', '*.password', '*.authorization'] },
    pino.destination(2),
  );
}
