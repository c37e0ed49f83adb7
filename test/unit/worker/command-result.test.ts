import { tableFromIPC } from 'apache-arrow';
import { expect, test } from 'vitest';
import type { Command } from '#src/model.js';
import { commandSchema } from '#src/wire/index.js';
import { changedRows, commandIpc } from '#src/worker/command-result.js';

const drop: Command = { kind: 'dropTable', table: { schema: 'scratch', name: 't' }, ifExists: false };

test('an update answers the number of rows', () => {
  const table = tableFromIPC(commandIpc(drop, { count: 3 }));
  expect(table.toArray().map(String)).toEqual(['{"count": 3}']);
  expect(changedRows({ count: 3 })).toBe(3);
});

test('a list answers rows under the promised schema, also none', () => {
  const rows = [{ name: 'laptop', created: new Date(5), expires: null }];
  for (const given of [rows, []]) {
    const table = tableFromIPC(commandIpc({ kind: 'showTokens' }, { rows: given }));
    expect(String(table.schema)).toBe(String(commandSchema({ kind: 'showTokens' })));
    expect(table.numRows).toBe(given.length);
  }
  expect(changedRows({ rows })).toBe(0);
});
