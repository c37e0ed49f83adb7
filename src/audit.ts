/**
 * One JSON record per request, also for refusals and broken streams (invariant I6).
 * `begin` opens an entry; `finish` writes it exactly once. The file holds statements and full error causes: guard it.
 */
import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { finished } from 'node:stream/promises';

/** What a request turned out to be; parts are added as they become known. */
export interface AuditFacts {
  readonly principal?: string;
  /** How the principal came in: `password`, `token`, `certificate` or `oidc`. */
  readonly via?: string;
  /** Flight SQL command or action, e.g. `CommandGetTables`. */
  readonly command?: string;
  readonly statement?: string;
  readonly queryId?: string;
  readonly epoch?: number;
  readonly fingerprint?: string;
  /** One line per dataset: allow, deny or conditional, with the grants and rules behind it. */
  readonly decisions?: readonly AuditDecision[];
  readonly rows?: number;
  readonly bytes?: number;
}

export interface AuditDecision {
  readonly dataset: string;
  readonly effect: 'allow' | 'deny' | 'conditional';
  readonly grants: readonly string[];
  readonly rules: readonly string[];
  readonly path?: 'plain' | 'barrier';
}

export type AuditOutcome = 'ok' | 'refused' | 'cancelled' | 'error';

/** Longer statements are kept as a beginning, their length and their SHA-256, so that no client can fill the disk with one request. */
const STATEMENT_CHARACTERS_MAX = 16_384;

export interface AuditEntry {
  readonly requestId: string;
  add(facts: AuditFacts): void;
  /** Later calls are ignored, so that every exit may call it. */
  finish(outcome: AuditOutcome, error?: unknown): void;
}

export interface AuditLog extends AsyncDisposable {
  begin(request: { readonly requestId: string; readonly method: string; readonly peer: string }): AuditEntry;
}

/** `write` receives one line without its newline. */
export function createAuditLog(write: (line: string) => void, now: () => number = Date.now): AuditLog {
  return {
    begin: (request) => beginEntry(request, write, now),
    [Symbol.asyncDispose]: async () => {},
  };
}

/** Appends to a file readable by its owner only; its directory is created. */
export async function createAuditFile(path: string): Promise<AuditLog> {
  await mkdir(dirname(path), { recursive: true });
  const stream = createWriteStream(path, { flags: 'a', mode: 0o600 });
  const log = createAuditLog((line) => stream.write(`${line}\n`));
  return {
    begin: (request) => log.begin(request),
    [Symbol.asyncDispose]: async () => {
      stream.end();
      await finished(stream);
    },
  };
}

function beginEntry(
  request: { readonly requestId: string; readonly method: string; readonly peer: string },
  write: (line: string) => void,
  now: () => number,
): AuditEntry {
  const startedMs = now();
  let facts: AuditFacts = {};
  let written = false;
  return {
    requestId: request.requestId,
    add: (more) => {
      facts = { ...facts, ...more };
    },
    finish: (outcome, error) => {
      if (written) return;
      written = true;
      const time = new Date(startedMs).toISOString();
      const record = {
        time,
        ...request,
        outcome,
        durationMs: now() - startedMs,
        ...facts,
        ...describeStatement(facts.statement),
        ...describeError(error),
      };
      write(JSON.stringify(record));
    },
  };
}

function describeStatement(statement: string | undefined): Record<string, unknown> {
  if (statement === undefined || statement.length <= STATEMENT_CHARACTERS_MAX) return {};
  const sha256 = createHash('sha256').update(statement).digest('hex');
  return { statement: statement.slice(0, STATEMENT_CHARACTERS_MAX), statementLength: statement.length, statementSha256: sha256 };
}

function describeError(error: unknown): Record<string, unknown> {
  if (error === undefined) return {};
  if (!(error instanceof Error)) return { error: String(error) };
  const code = 'code' in error ? { code: error.code } : {};
  return { error: error.message, ...code, ...(error.cause === undefined ? {} : { cause: String(error.cause) }) };
}
