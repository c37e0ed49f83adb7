import { existsSync } from 'node:fs';
import { expect, it } from 'vitest';
import { libraryPath } from '#src/engine/library.js';

it('finds the library of this platform', () => {
  expect(existsSync(libraryPath())).toBe(true);
});

it.each([
  ['win32', 'x64'],
  ['linux', 'ia32'],
  ['freebsd', 'x64'],
])('names a platform that has none: %s-%s', (platform, arch) => {
  expect(() => libraryPath(platform, arch)).toThrow(`${platform}-${arch}`);
});
