/** What is sealed: tickets, prepared-statement handles and session tokens ↔ proto/ticket.proto. Faults fail with ticket.invalid. */
import { fail } from '../errors.ts';
import type { PlanCatalog, Task } from '../model.ts';
import { type Codec, codec, type Fields } from './protos.ts';

/** One task for one worker, bound to a principal and the policy it was planned under. */
export interface Ticket {
  readonly cluster: string;
  readonly queryId: string;
  readonly taskId: number;
  readonly subject: string;
  readonly fingerprint: string;
  readonly epoch: number;
  readonly datasets: readonly string[];
  readonly expiresAtMs: number;
  readonly statement: string;
  readonly task: Task;
}

export interface PreparedHandle {
  readonly sql: string;
  readonly subject: string;
  readonly expiresAtMs: number;
}

export interface SessionToken {
  readonly subject: string;
  readonly expiresAtMs: number;
  /** Digest of the user's password hash. */
  readonly credential: Uint8Array;
}

const ticketCodec: Codec = codec('sluice.Ticket');
const preparedCodec: Codec = codec('sluice.PreparedHandle');
const sessionCodec: Codec = codec('sluice.SessionToken');

/** The fingerprint of a ticket whose answer is already in it: good for one state of the whole policy. */
export function inlineFingerprint(fingerprint: string, contentHash: string): string {
  return `${fingerprint} ${contentHash}`;
}

export function encodeTicket(ticket: Ticket): Uint8Array {
  const { task, ...rest } = ticket;
  const encodedTask = task.kind === 'query' ? { query: task } : { inline: { ipc: task.ipc } };
  return ticketCodec.encode({ ...rest, ...encodedTask });
}

export function decodeTicket(bytes: Uint8Array): Ticket {
  const fields = ticketCodec.decode(bytes, 'ticket.invalid');
  return {
    cluster: fields.string('cluster'),
    queryId: fields.string('queryId'),
    taskId: fields.number('taskId'),
    subject: fields.string('subject'),
    fingerprint: fields.string('fingerprint'),
    epoch: fields.number('epoch'),
    datasets: fields.strings('datasets'),
    expiresAtMs: fields.number('expiresAtMs'),
    statement: fields.string('statement'),
    task: readTask(fields),
  };
}

export function encodePrepared(handle: PreparedHandle): Uint8Array {
  return preparedCodec.encode({ ...handle });
}

export function decodePrepared(bytes: Uint8Array): PreparedHandle {
  const fields = preparedCodec.decode(bytes, 'ticket.invalid');
  return { sql: fields.string('sql'), subject: fields.string('subject'), expiresAtMs: fields.number('expiresAtMs') };
}

export function encodeSession(token: SessionToken): Uint8Array {
  return sessionCodec.encode({ ...token });
}

export function decodeSession(bytes: Uint8Array): SessionToken {
  const fields = sessionCodec.decode(bytes, 'ticket.invalid');
  return { subject: fields.string('subject'), expiresAtMs: fields.number('expiresAtMs'), credential: fields.bytes('credential') };
}

function readTask(fields: Fields): Task {
  const inline = fields.message('inline');
  if (inline !== undefined) return { kind: 'inline', ipc: inline.bytes('ipc') };
  const query = fields.message('query') ?? fail('ticket.invalid', 'the ticket holds no task');
  const catalog = query.message('catalog') ?? fail('ticket.invalid', 'the ticket holds no catalog');
  return { kind: 'query', catalog: readCatalog(catalog), sql: query.string('sql'), datasets: query.strings('datasets') };
}

function readCatalog(fields: Fields): PlanCatalog {
  return { name: fields.string('name'), defaultSchema: fields.string('defaultSchema'), statements: fields.strings('statements') };
}
