import { existsSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { DuckDBInstance } from '@duckdb/node-api';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { duckdbVersion } from '#src/engine/index.js';
import { runExtensionCommand } from '#src/extension-cli.js';
import { HTTPFS_DIRECTORY } from '#testbed';

const FILE = 'httpfs.duckdb_extension';
const SIGNED = readFileSync(join(HTTPFS_DIRECTORY, FILE));

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'extension-'));
});
afterAll(() => rm(directory, { recursive: true }));

async function platform(): Promise<string> {
  const instance = await DuckDBInstance.create(':memory:');
  const connection = await instance.connect();
  const reader = await connection.runAndReadAll('PRAGMA platform');
  connection.closeSync();
  instance.closeSync();
  return String(reader.getRows()[0]?.[0]);
}

/** As DuckDB's own repository lays it out. */
async function mirrorWith(name: string, content: Uint8Array): Promise<string> {
  const mirror = join(directory, name);
  const folder = join(mirror, duckdbVersion(), await platform());
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, `${FILE}.gz`), gzipSync(content, { level: 1 }));
  return mirror;
}

describe('from a mirror', () => {
  test('the signed extension arrives, again too', async () => {
    const mirror = await mirrorWith('good', SIGNED);
    const target = join(directory, 'extensions', 'here');
    const said: string[] = [];
    for (let time = 0; time < 2; time++)
      expect(await runExtensionCommand(['install', target, '--from', mirror], (line) => said.push(line))).toBe(0);
    expect((await readFile(join(target, FILE))).equals(SIGNED)).toBe(true);
    expect(said).toEqual([join(target, FILE), join(target, FILE)]);
  });

  test('one that is not as DuckDB signed it does not', async () => {
    const changed = Buffer.from(SIGNED);
    changed.writeUInt8(changed.readUInt8(4096) ^ 1, 4096);
    const mirror = await mirrorWith('bad', changed);
    const target = join(directory, 'none');
    await expect(runExtensionCommand(['install', target, '--from', mirror], () => {})).rejects.toMatchObject({ code: 'config.invalid' });
    expect(existsSync(target)).toBe(false);
  });

  test('an empty one says what else to do', async () => {
    const install = runExtensionCommand(['install', join(directory, 'none'), '--from', join(directory, 'nothing')], () => {});
    await expect(install).rejects.toThrow(/PyPI package duckdb-extension-httpfs==1\.5\.5/);
  });
});

test.each([[[]], [['install']], [['remove', 'x']], [['install', '--from', 'x']], [['install', 'x', '--from']], [['install', 'x', 'y']]])(
  '%j is no command',
  async (args) => {
    await expect(runExtensionCommand(args, () => {})).rejects.toThrow('usage');
  },
);
