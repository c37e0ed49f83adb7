import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { fail } from '#src/errors.js';
import { createPins, openPinFile } from '#src/worker/pins.js';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'pins-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));
const file = (): string => join(directory, 'state', 'pins.json');
const KNOWN = new Set(['a', 'b', 'c']);

test('pins last, in a file of its owner; writers do not undo each other', async () => {
  const pins = createPins(await openPinFile(file()));
  await Promise.all([pins.set('a', true, KNOWN), pins.set('b', true, KNOWN), pins.set('c', true, KNOWN)]);
  await pins.set('b', false, KNOWN);
  const again = createPins(await openPinFile(file()));
  for (const each of [pins, again]) expect(['a', 'b', 'c'].map((id) => each.has(id))).toEqual([true, false, true]);
  expect(statSync(file()).mode & 0o777).toBe(0o600);
  expect(readdirSync(join(directory, 'state'))).toEqual(['pins.json']);
});

test('pins of datasets that are gone are forgotten; the same pin again writes nothing', async () => {
  const pins = createPins(await openPinFile(file()));
  await pins.set('a', true, KNOWN);
  const { mtimeNs } = statSync(file(), { bigint: true });
  await pins.set('a', true, KNOWN);
  await pins.set('b', false, KNOWN);
  expect(statSync(file(), { bigint: true }).mtimeNs).toBe(mtimeNs);
  await pins.set('b', true, new Set(['b']));
  expect(JSON.parse(readFileSync(file(), 'utf8'))).toEqual({ pinned: ['b'] });
});

test.each(['', 'not json', '[]', '{"pinned": "a"}', '{"pinned": [1, null]}'])(
  'a file with %j pins nothing, and is written anew',
  async (text) => {
    const path = join(directory, 'pins.json');
    writeFileSync(path, text);
    const pins = createPins(await openPinFile(path));
    expect(pins.has('a')).toBe(false);
    await pins.set('a', true, KNOWN);
    expect(pins.has('a')).toBe(true);
  },
);

test('a document out of reach pins nothing', () => {
  const pins = createPins({ current: () => fail('metadata.unavailable', 'away'), update: async () => {} });
  expect(pins.has('a')).toBe(false);
});

test('there are only so many', async () => {
  const ids = Array.from({ length: 1000 }, (_, i) => `d${i}`);
  let content: unknown = { pinned: ids };
  const pins = createPins({
    current: () => content,
    update: async (change) => {
      content = change(content);
    },
  });
  const known = new Set([...ids, 'more']);
  await expect(pins.set('more', true, known)).rejects.toMatchObject({ code: 'limit.busy' });
  await pins.set('d7', false, known);
  await pins.set('more', true, known);
  expect([pins.has('more'), pins.has('d7'), pins.has('d8')]).toEqual([true, false, true]);
});
