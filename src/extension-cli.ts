/** `sluice extension install`: DuckDB's httpfs for exactly the engine's version, where SLUICE_EXTENSIONS finds it. */
import { copyFile, mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { duckdbVersion, runTrustedScript } from './engine/index.ts';
import { fail } from './errors.ts';
import { takeFlag } from './policy-cli.ts';
import { stringLiteral } from './sql/index.ts';

export const EXTENSION_USAGE: string =
  '  sluice extension install <dir>    fetch the extension that reads S3 (--from URL or directory: a mirror of DuckDB’s repository)';

const FILE = 'httpfs.duckdb_extension';

/** Replaces one that is there. Rejects with config.invalid when it can not be fetched or is not signed by DuckDB. */
export async function runExtensionCommand(args: readonly string[], say: (line: string) => void): Promise<number> {
  const [verb, ...rest] = args;
  const { value: repository, others } = takeFlag(rest, '--from');
  const [directory, ...more] = others;
  const asked = verb === 'install' && directory !== undefined && !directory.startsWith('-') && more.length === 0;
  if (!asked || (rest.includes('--from') && repository === undefined)) return fail('config.invalid', `usage:\n${EXTENSION_USAGE}`);
  const draft = await mkdtemp(join(tmpdir(), 'sluice-extension-'));
  try {
    await install(draft, repository);
    await mkdir(directory, { recursive: true });
    const target = join(directory, FILE);
    await copyFile(await fetched(draft), `${target}.draft`);
    await rename(`${target}.draft`, target);
    say(target);
    return 0;
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}

/** LOAD checks the signature. */
async function install(draft: string, repository: string | undefined): Promise<void> {
  const from = repository === undefined ? '' : ` FROM ${stringLiteral(repository)}`;
  try {
    await runTrustedScript([`SET extension_directory = ${stringLiteral(draft)}`, `INSTALL httpfs${from}`, 'LOAD httpfs']);
  } catch (error) {
    const place = repository ?? 'DuckDB’s repository';
    const cure = `name a mirror with --from, or take it out of the PyPI package duckdb-extension-httpfs==${duckdbVersion().replace(/^v/, '')}`;
    return fail('config.invalid', `the extension httpfs could not be had from ${place}; ${cure}`, error);
  }
}

async function fetched(draft: string): Promise<string> {
  const name = (await readdir(draft, { recursive: true })).find((entry) => entry.endsWith(FILE));
  return name === undefined ? fail('config.invalid', 'the repository gave no extension') : join(draft, name);
}
