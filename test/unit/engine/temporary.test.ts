import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pid } from 'node:process';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openTemporary } from '#src/engine/temporary.js';

let parent: string;
beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), 'spill-'));
});
afterEach(() => rmSync(parent, { recursive: true, force: true }));

test('each engine has a directory of its own, gone with it', async () => {
  const [first, second] = [await openTemporary(join(parent, 'tmp'), 'engine'), await openTemporary(join(parent, 'tmp'), 'engine')];
  expect(first.directory).not.toBe(second.directory);
  writeFileSync(join(first.directory, 'spilled'), 'x');
  await first[Symbol.asyncDispose]();
  expect([existsSync(first.directory), existsSync(second.directory)]).toEqual([false, true]);
  await second[Symbol.asyncDispose]();
});

test('what a dead process left is removed; what lives, or is something else, stays', async () => {
  // Linux gives no number as high as this.
  const dead = 2 ** 22 + 1;
  const names = [`engine-${dead}-abc123`, `results-${dead}-abc123`, `engine-${pid}-abc123`, 'engine-1-abc123', 'other'];
  for (const name of names) mkdirSync(join(parent, name));
  await using opened = await openTemporary(parent, 'engine');
  expect(readdirSync(parent).sort()).toEqual([...names.slice(2), opened.directory.split('/').at(-1)].sort());
});
