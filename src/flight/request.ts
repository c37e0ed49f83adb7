/** A FlightDescriptor → what is asked: a query or a question about the catalog. */
import { fail } from '../errors.ts';
import { commandName, type Descriptor, decodeCommand, type MetadataCommand, type SqlCommand } from '../wire/index.ts';
import type { Rpc } from './rpc.ts';
import { unimplemented } from './stream.ts';

/** What a query command asks for; metadata commands need no plan. */
export type QueryCommand = Extract<SqlCommand, { kind: 'statement' | 'prepared' }>;

/** Commands that are asked for by DoPut only. */
const PUT_ONLY: ReadonlySet<string> = new Set(['CommandStatementUpdate', 'CommandPreparedStatementUpdate', 'CommandStatementIngest']);
/** Some clients send the statement itself as the command; every Flight SQL command starts otherwise. */
const RAW_SQL =
  /^[\s(]*(?:select|with|from|values|explain|describe|show|summarize|table|pivot|unpivot|create|insert|drop|register|refresh|pin|unpin)\b/i;
/** Table, schema and catalog. */
const PATH_PARTS_MAX = 3;

/** Says by name what is not served. */
export function readRequest(rpc: Rpc, descriptor: Descriptor): QueryCommand | MetadataCommand {
  if (descriptor.kind === 'path') {
    rpc.audit.add({ command: 'path' });
    return statement(selectAll(descriptor.path));
  }
  const sql = rawSql(descriptor.bytes);
  if (sql !== null) {
    rpc.audit.add({ command: 'sql' });
    return statement(sql);
  }
  const name = commandName(descriptor.bytes);
  rpc.audit.add({ command: name });
  const command = decodeCommand(descriptor.bytes);
  if (command.kind === 'unsupported' || command.kind === 'task') return refuseCommand(name);
  if (command.kind === 'statement' && command.transaction) return refuseTransaction();
  return command;
}

export function isQuery(command: SqlCommand): command is QueryCommand {
  return command.kind === 'statement' || command.kind === 'prepared';
}

export function refuseCommand(name: string): never {
  if (PUT_ONLY.has(name)) return fail('request.malformed', `${name} is sent by DoPut`);
  return name.includes('Substrait') ? unimplemented('Substrait', 'send SQL') : unimplemented(name);
}

export function refuseTransaction(): never {
  return unimplemented('a transaction', 'each statement is its own; leave the transaction out');
}

function statement(sql: string): QueryCommand {
  return { kind: 'statement', sql, transaction: false };
}

/** The planner answers for what the names mean, and whether one may know it. */
function selectAll(path: readonly string[]): string {
  if (path.length === 0 || path.length > PATH_PARTS_MAX)
    fail('request.malformed', 'a path names a dataset: [table], [schema, table] or [catalog, schema, table]');
  return `SELECT * FROM ${path.map(quoted).join('.')}`;
}

function quoted(name: string): string {
  if (name === '' || name.includes('\0')) fail('request.malformed', 'a part of the path is no name');
  return `"${name.replaceAll('"', '""')}"`;
}

function rawSql(bytes: Uint8Array): string | null {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    return RAW_SQL.test(text) ? text : null;
  } catch {
    return null;
  }
}
