/** What is sealed: tickets, prepared-statement handles and session tokens ↔ proto/ticket.proto. Faults fail with ticket.invalid. */
import { fail } from '../errors.ts';
import type { Command, PlanCatalog, QueryTask, Task, WireForm } from '../model.ts';
import { type Codec, codec, type Fields } from './protos.ts';
import { readScans, scansField, sharedFiles } from './scans.ts';
import type { Sealer } from './seal.ts';

/** One task for one worker, bound to a principal and the policy it was planned under. */
export interface Ticket {
  readonly cluster: string;
  readonly queryId: string;
  readonly taskId: number;
  readonly subject: string;
  readonly fingerprint: string;
  readonly epoch: number;
  readonly datasets: readonly string[];
  /** Stays when the ticket is renewed. */
  readonly issuedAtMs: number;
  readonly expiresAtMs: number;
  readonly statement: string;
  readonly task: Task;
}

export interface PreparedHandle {
  readonly sql: string;
  readonly subject: string;
  readonly expiresAtMs: number;
  /** DuckDB type text, one per parameter. */
  readonly parameterTypes: readonly string[];
  /** Bound values as an Arrow IPC stream, one execution per row; empty = nothing bound. */
  readonly rows: Uint8Array;
}

export interface SessionToken {
  readonly subject: string;
  /** Unused until then, it is over. */
  readonly expiresAtMs: number;
  /** Over then, however much it is used. */
  readonly endsAtMs: number;
  /** What it was made from, e.g. `password`. */
  readonly origin: string;
  /** Digest of what it was made from. */
  readonly credential: Uint8Array;
  /** JSON of groups and attributes, for subjects that no policy file describes; else empty. */
  readonly facts: string;
}

/** The tickets that this release understands; one more with each change that an earlier release would misread. */
export const TICKET_VERSION = 2;

const ticketCodec: Codec = codec('sluice.Ticket');
const preparedCodec: Codec = codec('sluice.PreparedHandle');
const sessionCodec: Codec = codec('sluice.SessionToken');

/** The fingerprint of a ticket whose answer is already in it: good for one state of the whole policy. */
export function inlineFingerprint(fingerprint: string, contentHash: string): string {
  return `${fingerprint} ${contentHash}`;
}

export function encodeTicket(ticket: Ticket): Uint8Array {
  const { task, ...rest } = ticket;
  return ticketCodec.encode({ ...rest, version: taskVersion(task), ...taskField(task) });
}

/** The least `TICKET_VERSION` of a program that can run it. */
export function taskVersion(task: Task): number {
  const query = task.kind === 'command' ? task.query : task;
  return query?.kind === 'query' && query.catalog.scans !== undefined ? 2 : 1;
}

function taskField(task: Task): Record<string, unknown> {
  switch (task.kind) {
    case 'query':
      return { query: queryField(task) };
    case 'inline':
      return { inline: { ipc: task.ipc } };
    case 'command':
      return { command: { command: JSON.stringify(task.command), ...(task.query === null ? {} : { query: queryField(task.query) }) } };
  }
}

function queryField(task: QueryTask): Record<string, unknown> {
  const { scans, ...catalog } = task.catalog;
  return { ...task, catalog: scans === undefined ? catalog : { ...catalog, scans: scansField(scans) } };
}

export function decodeTicket(bytes: Uint8Array): Ticket {
  const fields = ticketCodec.decode(bytes, 'ticket.invalid');
  // Read before anything else: the rest may mean something that is not known here.
  if (fields.number('version') > TICKET_VERSION)
    fail('ticket.version', 'this ticket was made by a newer release than this server; use another location of its endpoint, or plan again');
  return {
    cluster: fields.string('cluster'),
    queryId: fields.string('queryId'),
    taskId: fields.number('taskId'),
    subject: fields.string('subject'),
    fingerprint: fields.string('fingerprint'),
    epoch: fields.number('epoch'),
    datasets: fields.strings('datasets'),
    issuedAtMs: fields.number('issuedAtMs'),
    expiresAtMs: fields.number('expiresAtMs'),
    statement: fields.string('statement'),
    task: readTask(fields),
  };
}

/** For the principal's own, unexpired tickets of this cluster. Throws ticket.*. */
export function openTicket(
  sealer: Sealer,
  sealed: Uint8Array,
  expected: { readonly cluster: string; readonly subject: string; readonly nowMs: number },
): Ticket {
  const ticket = decodeTicket(sealer.open('ticket', sealed));
  if (ticket.cluster !== expected.cluster) fail('ticket.invalid', 'this ticket was made by another cluster');
  if (ticket.subject !== expected.subject) fail('ticket.principal', 'this ticket belongs to another principal');
  if (ticket.expiresAtMs <= expected.nowMs) fail('ticket.expired', 'this ticket has expired; run the query again');
  return ticket;
}

/** `now`: what decides at present. A finished answer about policies has no datasets of its own: any change makes it stale. Throws policy.changed. */
export function checkInForce(
  ticket: Ticket,
  now: {
    readonly rights: { fingerprint(datasets: readonly string[]): string };
    readonly snapshot: { readonly contentHash: string };
  },
): void {
  // What the task itself reads counts, whatever else the ticket says.
  const fingerprint = now.rights.fingerprint([...ticket.datasets, ...taskDatasets(ticket.task)]);
  const expected = ticket.task.kind === 'inline' ? inlineFingerprint(fingerprint, now.snapshot.contentHash) : fingerprint;
  if (ticket.fingerprint !== expected) fail('policy.changed', 'the policy changed since this query was planned; run it again');
}

/** Ids of what a task reads. */
export function taskDatasets(task: Task): readonly string[] {
  if (task.kind === 'inline') return [];
  return (task.kind === 'query' ? task : task.query)?.datasets ?? [];
}

export function encodePrepared(handle: PreparedHandle): Uint8Array {
  return preparedCodec.encode({ ...handle });
}

export function decodePrepared(bytes: Uint8Array): PreparedHandle {
  const fields = preparedCodec.decode(bytes, 'ticket.invalid');
  return {
    sql: fields.string('sql'),
    subject: fields.string('subject'),
    expiresAtMs: fields.number('expiresAtMs'),
    parameterTypes: fields.strings('parameterTypes'),
    rows: fields.bytes('rows'),
  };
}

export function encodeSession(token: SessionToken): Uint8Array {
  return sessionCodec.encode({ ...token });
}

export function decodeSession(bytes: Uint8Array): SessionToken {
  const fields = sessionCodec.decode(bytes, 'ticket.invalid');
  return {
    subject: fields.string('subject'),
    expiresAtMs: fields.number('expiresAtMs'),
    endsAtMs: fields.number('endsAtMs'),
    origin: fields.string('origin'),
    credential: fields.bytes('credential'),
    facts: fields.string('facts'),
  };
}

function readTask(fields: Fields): Task {
  const inline = fields.message('inline');
  if (inline !== undefined) return { kind: 'inline', ipc: inline.bytes('ipc') };
  const command = fields.message('command');
  if (command === undefined) return readQuery(fields.message('query') ?? fail('ticket.invalid', 'the ticket holds no task'));
  const query = command.message('query');
  // Sealed, so what is inside is what this cluster wrote.
  return {
    kind: 'command',
    command: JSON.parse(command.string('command')) as Command,
    query: query === undefined ? null : readQuery(query),
  };
}

function readQuery(fields: Fields): QueryTask {
  const catalog = fields.message('catalog') ?? fail('ticket.invalid', 'the ticket holds no catalog');
  const datasets = fields.strings('datasets');
  return {
    kind: 'query',
    catalog: { ...sharedFiles(fields.messages('files'), datasets), ...readCatalog(catalog) },
    statements: fields.strings('statements'),
    datasets,
    form: readForm(fields.message('form') ?? fail('ticket.invalid', 'the ticket holds no wire form')),
    schema: fields.bytes('schema'),
    ...(fields.boolean('repeatable') ? { repeatable: true } : {}),
  };
}

function readForm(fields: Fields): WireForm {
  const one = <T extends string>(name: string, values: readonly T[]): T =>
    values.find((value) => value === fields.string(name)) ?? fail('ticket.invalid', 'the ticket names an unknown wire form');
  const batchBytes = fields.number('batchBytes');
  return {
    strings: one('strings', ['utf8', 'view']),
    enums: one('enums', ['utf8', 'dictionary']),
    compression: one('compression', ['none', 'lz4', 'zstd']),
    ...(batchBytes === 0 ? {} : { batchBytes }),
  };
}

function readCatalog(fields: Fields): PlanCatalog {
  const scans = fields.message('scans');
  return {
    name: fields.string('name'),
    defaultSchema: fields.string('defaultSchema'),
    statements: fields.strings('statements'),
    ...(scans === undefined ? {} : { scans: readScans(scans) }),
  };
}
