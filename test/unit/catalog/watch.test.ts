import { mkdtemp, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { signatureOf, watchDirectory } from '#src/catalog/watch.js';

test('polls where there are no events, and stops', async () => {
  let looks = 0;
  const watching = watchDirectory(join(tmpdir(), 'no such directory'), () => looks++);
  await expect.poll(() => looks).toBeGreaterThan(1);
  watching[Symbol.dispose]();
  const seen = looks;
  await new Promise((resolve) => setTimeout(resolve, 600));
  expect(looks).toBe(seen);
});

test('the signature changes with every kind of edit, and only then', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'watch-'));
  const path = join(directory, 'a');
  const signatures: string[] = [];
  const sign = async (): Promise<unknown> => signatures.push(await signatureOf(directory, ['a', 'b']));
  await sign();
  await writeFile(path, 'one');
  await sign();
  await writeFile(join(directory, 'other'), 'x');
  expect(await signatureOf(directory, ['a', 'b'])).toBe(signatures[1]);
  // As often as it takes until the clock of the file system has moved on.
  const { mtimeNs: before } = await stat(path, { bigint: true });
  do await writeFile(path, 'two');
  while ((await stat(path, { bigint: true })).mtimeNs === before);
  await sign();
  // The same size and time as before, but another file.
  await writeFile(`${path}.new`, 'six');
  await utimes(`${path}.new`, 1, 1);
  await rename(`${path}.new`, path);
  await sign();
  await rm(path);
  await sign();
  expect(new Set(signatures.slice(0, 4)).size).toBe(4);
  expect(signatures[4]).toBe(signatures[0]);
  await rm(directory, { recursive: true });
});
