import { expect, test } from 'vitest';
import { type DatasetEntry, editDataset } from '#src/catalog/edit-catalog.js';

const ENTRY: DatasetEntry = {
  connection: 'lake',
  format: 'parquet',
  path: 'events/',
  hivePartitioning: false,
  columns: [
    { name: 'id', type: 'BIGINT' },
    { name: 'a "b": c', type: 'DECIMAL(10,2)' },
  ],
};

const CATALOG = `# who reads this
catalog: sluice
defaultSchema: demo # here
connections:
  lake: { kind: local, directory: /lake }

datasets:
  # the old one
  demo.old:
    parquet: old.parquet
    columns:
      id: { type: INTEGER, tags: [ key ] } # of the shop
      name:
        description: as written
`;

test('a new entry stands behind the others; comments and order stay', () => {
  expect(
    editDataset(CATALOG, 'demo.events', { ...ENTRY, hivePartitioning: true, description: 'All: events', tags: ['a', 'b'] }),
  ).toBe(`${CATALOG}  demo.events:
    connection: lake
    parquet: events/
    hive: true
    description: "All: events"
    tags: [ a, b ]
    columns:
      id: { type: BIGINT }
      'a "b": c': { type: "DECIMAL(10,2)" }
`);
});

test('an entry that is there keeps what a steward wrote', () => {
  const columns = [
    { name: 'ID', type: 'BIGINT' },
    { name: 'NAME', type: 'VARCHAR' },
    { name: 'day', type: 'DATE' },
  ];
  const text = editDataset(CATALOG, 'Demo.Old', { ...ENTRY, columns });
  expect(text).toContain(
    '      id: { type: BIGINT, tags: [ key ] } # of the shop\n      name:\n        description: as written\n        type: VARCHAR\n      day: { type: DATE }\n',
  );
  expect(text).toContain('# the old one\n  demo.old:\n    parquet: old.parquet\n');
});

test.each(['datasets: {}', 'datasets:', 'datasets: # none yet'])('the first entry: %s', (line) => {
  const text = editDataset(`catalog: c\n${line}\n`, 'demo.events', ENTRY);
  expect(text).toMatch(/\n {2}demo\.events:\n {4}connection: lake\n {4}parquet: events\/\n {4}columns:\n {6}id: \{ type: BIGINT \}/);
});

test('hostile names and texts stay texts', () => {
  const entry: DatasetEntry = {
    ...ENTRY,
    path: "x: { y }\n  demo.evil: { view: 'SELECT 1' } # '",
    description: '*alias &anchor !tag',
    columns: [{ name: '- a: {b}\n', type: '}, evil: {' }],
  };
  const text = editDataset(CATALOG, "demo.it's: #x", entry);
  const again = editDataset(text, "demo.it's: #x", { ...entry, columns: [] });
  expect(again).toBe(text);
  expect(text).not.toMatch(/^ {2}demo\.evil/m);
});

test('JSON is YAML', () => {
  const text = editDataset('{"catalog": "c", "datasets": {"demo.a": {"view": "SELECT 1"}}}', 'demo.events', ENTRY);
  expect(text).toContain('demo.events');
  expect(text).toContain('demo.a');
});

test.each(['', '- a', 'a: [', 'a: 1\na: 2'])('what is no catalog is not edited: %j', (text) => {
  expect(() => editDataset(text, 'demo.events', ENTRY)).toThrow(expect.objectContaining({ code: 'policy.invalid' }));
});
