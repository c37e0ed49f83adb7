import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { replaceFile } from '#src/replace-file.js';

test('a file is made and replaced as a whole, for its owner only, whatever a writer that died left behind', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'sluice-replace-'));
  try {
    const path = join(directory, 'a.json');
    await replaceFile(path, 'first');
    const { ino } = statSync(path);
    writeFileSync(`${path}.new`, 'half', { mode: 0o644 });
    await replaceFile(path, 'second');
    expect(readFileSync(path, 'utf8')).toBe('second');
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(statSync(path).ino).not.toBe(ino);
    expect(readdirSync(directory)).toEqual(['a.json']);
    await expect(replaceFile(join(directory, 'gone', 'b.json'), 'text')).rejects.toMatchObject({ code: 'ENOENT' });
  } finally {
    rmSync(directory, { recursive: true });
  }
});
