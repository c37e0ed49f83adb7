/** What a command answers: the planner promises it, the worker sends it. */
import { Field, Int64, Schema, Timestamp, TimeUnit, Utf8 } from 'apache-arrow';
import type { Command } from '../model.ts';

/** Whether clients read rows from it; the others are updates. */
export function commandHasRows(command: Command): boolean {
  return command.kind === 'showTokens' || command.kind === 'createToken';
}

/** Of a command's result: its rows, or one row with the number of rows changed. */
export function commandSchema(command: Command): Schema {
  const text = (name: string): Field => new Field(name, new Utf8(), false);
  const time = (name: string, nullable: boolean): Field => new Field(name, new Timestamp(TimeUnit.MICROSECOND, 'UTC'), nullable);
  switch (command.kind) {
    case 'showTokens':
      return new Schema([text('name'), time('created', false), time('expires', true), time('used', true)]);
    case 'createToken':
      return new Schema([text('name'), text('token'), time('expires', true)]);
    default:
      return new Schema([new Field('count', new Int64(), false)]);
  }
}
