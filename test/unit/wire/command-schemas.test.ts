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
  [{ kind: 'pin', table }, false, ['count']],
  [{ kind: 'refreshDataset', table }, true, ['dataset', 'files', 'added', 'changed', 'removed', 'bytes', 'rows', 'note']],
  [
    { kind: 'registerDataset', table, connection: 'lake', path: 'a', format: 'csv', hivePartitioning: true },
    true,
    ['dataset', 'files', 'added', 'changed', 'removed', 'bytes', 'rows', 'note'],
  ],
  [{ kind: 'showWorkers' }, true, ['location', 'cluster', 'zone', 'version', 'capacity', 'running', 'heartbeat_at', 'alive']],
  [{ kind: 'showCache' }, true, ['worker', 'kind', 'object', 'bytes', 'rows', 'hits', 'last_used_at', 'pinned']],
];

test.each(cases)('%o', (command, hasRows, names) => {
  expect(commandHasRows(command)).toBe(hasRows);
  expect(commandSchema(command).fields.map(({ name }) => name)).toEqual(names);
});
