import { Schema } from 'apache-arrow';
import { expect, test } from 'vitest';
import { SLUICE_OPTIONS } from '#src/flight/option-rules.js';

const table = {
  schema: 'Demo',
  name: 't',
  type: 'TABLE',
  description: '',
  columns: [],
  arrow: new Schema([]),
  primaryKey: [],
  foreignKeys: [],
} as const;
const catalog = { catalogName: 'sluice', tables: [table] };

test.each([
  ['catalog', 'SLUICE', { kept: 'sluice' }],
  ['schema', 'demo', { kept: 'Demo' }],
  ['schema', 'hidden', 'invalidValue'],
  ['strings', 'view', { kept: 'view' }],
  ['strings', 'utf16', 'invalidValue'],
  ['strings', null, { kept: '' }],
  ['batch_bytes', '65536', { kept: '65536' }],
  ['batch_bytes', 100_000n, { kept: '100000' }],
  ['batch_bytes', 1n, 'invalidValue'],
  ['batch_bytes', true, 'invalidValue'],
  ['endpoints', 4n, 'invalidValue'],
  ['compression', ['lz4'], 'invalidValue'],
  ['schema', 'd'.repeat(2000), 'invalidValue'],
  ['nothing', 'x', 'invalidName'],
  ['nothing', null, 'invalidName'],
  ['__proto__', 'x', 'invalidName'],
  ['toString', 'x', 'invalidName'],
] as const)('%s = %s', (name, value, expected) => {
  expect(SLUICE_OPTIONS.accept(name, value, catalog)).toEqual(expected);
});

test('the catalog is told also when nobody has set it', () => {
  expect(SLUICE_OPTIONS.tell({}, catalog)).toEqual({ catalog: 'sluice' });
  expect(SLUICE_OPTIONS.tell({}, { ...catalog, defaultSchema: 'main' })).toEqual({ catalog: 'sluice', schema: 'main' });
  expect(SLUICE_OPTIONS.tell({ schema: 'Demo' }, { ...catalog, defaultSchema: 'main' })).toEqual({ catalog: 'sluice', schema: 'Demo' });
  expect(SLUICE_OPTIONS.tell({ schema: 'Demo', catalog: 'sluice' }, catalog)).toEqual({ catalog: 'sluice', schema: 'Demo' });
});
