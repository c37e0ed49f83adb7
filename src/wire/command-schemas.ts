/** What a command answers: the planner promises it, the worker sends it. */
import { Bool, Field, Int64, Schema, Timestamp, TimeUnit, Utf8 } from 'apache-arrow';
import type { Command } from '../model.ts';

const WITH_ROWS: ReadonlySet<Command['kind']> = new Set([
  'showTokens',
  'createToken',
  'registerDataset',
  'refreshDataset',
  'showWorkers',
  'showCache',
]);

/** Whether clients read rows from it; the others are updates. */
export function commandHasRows(command: Command): boolean {
  return WITH_ROWS.has(command.kind);
}

/** Of a command's result: its rows, or one row with the number of rows changed. */
export function commandSchema(command: Command): Schema {
  const text = (name: string): Field => new Field(name, new Utf8(), false);
  const time = (name: string, nullable: boolean): Field => new Field(name, new Timestamp(TimeUnit.MICROSECOND, 'UTC'), nullable);
  const count = (name: string, nullable = false): Field => new Field(name, new Int64(), nullable);
  const flag = (name: string): Field => new Field(name, new Bool(), false);
  switch (command.kind) {
    case 'showTokens':
      return new Schema([text('name'), time('created', false), time('expires', true), time('used', true)]);
    case 'createToken':
      return new Schema([text('name'), text('token'), time('expires', true)]);
    case 'registerDataset':
    case 'refreshDataset':
      return new Schema([
        text('dataset'),
        ...['files', 'added', 'changed', 'removed', 'bytes'].map((name) => count(name)),
        count('rows', true),
        text('note'),
      ]);
    case 'showWorkers':
      return new Schema([
        ...['location', 'cluster', 'zone', 'version'].map(text),
        count('capacity'),
        count('running'),
        time('heartbeat_at', true),
        flag('alive'),
      ]);
    case 'showCache':
      return new Schema([
        ...['worker', 'kind', 'object'].map(text),
        count('bytes'),
        count('rows', true),
        count('hits'),
        time('last_used_at', true),
        flag('pinned'),
      ]);
    default:
      return new Schema([count('count')]);
  }
}
