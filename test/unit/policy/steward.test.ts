import { expect, test } from 'vitest';
import type { Dataset, StewardCommand } from '#src/model.js';
import { requireSteward, stewardDataset } from '#src/policy/index.js';

const table = { schema: 'demo', name: 'people' };
const may =
  (...held: readonly string[]) =>
  (action: string): boolean =>
    held.includes(action);
const COMMANDS: readonly StewardCommand[] = [
  { kind: 'registerDataset', table, connection: 'lake', path: 'a/', format: 'parquet', hivePartitioning: false },
  { kind: 'refreshDataset', table },
  { kind: 'pin', table },
  { kind: 'unpin', table },
  { kind: 'showWorkers' },
  { kind: 'showCache' },
];

test.each(COMMANDS)('$kind needs the right to operate; auditors may look', (command) => {
  const looks = command.kind === 'showWorkers' || command.kind === 'showCache';
  expect(() => requireSteward(command, { may: may('operate') })).not.toThrow();
  expect(() => requireSteward(command, { may: may() })).toThrow(expect.objectContaining({ code: 'policy.denied' }));
  const byAuditor = expect(() => requireSteward(command, { may: may('audit') }));
  if (looks) byAuditor.not.toThrow();
  else byAuditor.toThrow(expect.objectContaining({ code: 'policy.denied' }));
});

test('every governed dataset is there, tables of one principal are not', () => {
  const dataset = (schema: string, name: string, more: Partial<Dataset> = {}): Dataset => ({
    id: name,
    schema,
    name,
    tags: [],
    columns: [],
    source: { kind: 'view', sql: '' },
    ...more,
  });
  const datasets = [dataset('demo', 'People'), dataset('scratch', 'mine', { owner: { subject: 'ann', lineage: [] } })];
  expect(stewardDataset(table, { datasets }).name).toBe('People');
  for (const [schema, name] of [
    ['demo', 'gone'],
    ['scratch', 'mine'],
    ['demo', '../people'],
  ] as const)
    expect(() => stewardDataset({ schema, name }, { datasets })).toThrow(expect.objectContaining({ code: 'dataset.unknown' }));
});
