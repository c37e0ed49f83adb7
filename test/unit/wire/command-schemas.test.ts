import { expect, test } from 'vitest';
import type { Command } from '#src/model.js';
import { commandHasRows, commandSchema } from '#src/wire/index.js';

const table = { schema: 'scratch', name: 't' };
const cases: readonly (readonly [Command, boolean, readonly string[]])[] = [
  [{ kind: 'createTable', table, ifExists: 'fail' }, false, ['count']],
  [{ kind: 'insert', table, columns: [] }, false, ['count']],
  [{ kind: 'dropTable', table, ifExists: true }, false, ['count']],
  [{ kind: 'dropToken', name: 'x' }, false, ['count']],
  [{ kind: 'showTokens' }, true, ['name', 'created', 'expires', 'used']],
  [{ kind: 'createToken', name: 'x', ttlMs: null }, true, ['name', 'token', 'expires']],
];

test.each(cases)('%o', (command, hasRows, names) => {
  expect(commandHasRows(command)).toBe(hasRows);
  expect(commandSchema(command).fields.map(({ name }) => name)).toEqual(names);
});
