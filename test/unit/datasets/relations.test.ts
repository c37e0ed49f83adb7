import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { csvRelation, jsonRelation } from '#src/datasets/relations.js';
import type { Engine } from '#src/engine/index.js';
import { startEngine } from '../engine/fixtures.ts';

const work = mkdtempSync(join(tmpdir(), 'sluice-relations-'));
let engine: Engine;
beforeAll(async () => {
  engine = await startEngine({ connections: [{ kind: 'local', name: 'files', directory: work }] });
});
afterAll(async () => {
  await engine[Symbol.asyncDispose]();
  rmSync(work, { recursive: true });
});

const columns = async (relation: string): Promise<string> =>
  (await engine.columns(relation)).map(({ name, type }) => `${name} ${type}`).join(', ');

function write(name: string, text: string): string {
  const path = join(work, name);
  mkdirSync(join(path, '..'), { recursive: true });
  writeFileSync(path, text);
  return path;
}

test('the header of a CSV file names its columns, whatever stands between them', async () => {
  expect(await columns(csvRelation([write('a.csv', 'id,name\n1,x\n')]))).toBe('id BIGINT, name VARCHAR');
  expect(await columns(csvRelation([write('b.csv', 'id;day\n1;2024-01-01\n')]))).toBe('id BIGINT, day DATE');
  expect(await columns(csvRelation([write('k=1/c.csv', 'x\ty\na\tb\n')]))).toBe('x VARCHAR, y VARCHAR');
});

test('JSON lines are joined over their files', async () => {
  const paths = [write('a.json', '{"id": 1, "n": {"x": 1}}\n'), write('b.json', '{"name": "é", "n": {"y": [true]}}\n')];
  expect(await columns(jsonRelation(paths))).toBe('id BIGINT, n STRUCT(x BIGINT, y BOOLEAN[]), name VARCHAR');
});

test.each(["it's", 'a[1]', 'b*', 'c?', 'd{x}', 'e\n', "f') --"])('a file is named by itself: %j', async (name) => {
  write('decoy.csv', 'wrong\n1\n');
  expect(await columns(csvRelation([write(`${name}.csv`, 'right\n1\n')]))).toBe('right BIGINT');
  expect(await columns(jsonRelation([write(`${name}.json`, '{"right": 1}\n')]))).toBe('right BIGINT');
});
