/**
 * File indexes in a directory, for processes of one machine: `<hash of the dataset id>/<number>.json.gz`, the highest number counts.
 * A writer links its finished file under the next number, which only one can do: compare-and-set without a lock that could stay behind.
 */
import { createHash, randomUUID } from 'node:crypto';
import { link, mkdir, readdir, readFile, rename, rm, stat, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { hasCode } from '../errors.ts';
import type { IndexBackend, IndexSummary } from './file-index-store.ts';

const CONTENT = '.json.gz';
const SUMMARY = 'summary.json';
/** What a writer that died left behind. */
const ABANDONED_MS = 3600 * 1000;

export function createIndexFiles(directory: string): IndexBackend {
  const folderOf = (dataset: string): string => join(directory, createHash('sha256').update(dataset).digest('hex').slice(0, 40));
  return {
    stamp: (dataset) => newest(folderOf(dataset)),
    read: (dataset, stamp) => orNull(readFile(join(folderOf(dataset), stamp + CONTENT))),
    write: (summary, content, expected) => write(folderOf(summary.dataset), summary, content, expected),
    list: async () => {
      const folders = (await orNull(readdir(directory))) ?? [];
      const summaries = await Promise.all(folders.sort().map((folder) => readSummary(join(directory, folder))));
      return summaries.filter((summary) => summary !== null);
    },
  };
}

/** The highest number in a folder. */
async function newest(folder: string): Promise<string | null> {
  const numbers = ((await orNull(readdir(folder))) ?? []).flatMap((name) => /^(\d{1,15})\.json\.gz$/.exec(name)?.[1] ?? []);
  return numbers.length === 0 ? null : String(Math.max(...numbers.map(Number)));
}

async function write(folder: string, summary: IndexSummary, content: Uint8Array, expected: string | null): Promise<boolean> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const stamp = await newest(folder);
  if (stamp !== expected) return false;
  const temporary = join(folder, `${randomUUID()}.tmp`);
  try {
    await writeFile(temporary, content, { mode: 0o600, flush: true });
    if (!(await linkNew(temporary, join(folder, `${Number(stamp ?? 0) + 1}${CONTENT}`)))) return false;
  } finally {
    await rm(temporary, { force: true });
  }
  await describeFolder(folder, summary);
  await sweep(folder);
  return true;
}

/** false when somebody else was first. */
async function linkNew(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return false;
    throw error;
  }
}

/** For `list` only, which need not open the indexes. */
async function describeFolder(folder: string, summary: IndexSummary): Promise<void> {
  const temporary = join(folder, `${randomUUID()}.tmp`);
  await writeFile(temporary, JSON.stringify(summary), { mode: 0o600 });
  await rename(temporary, join(folder, SUMMARY));
}

async function readSummary(folder: string): Promise<IndexSummary | null> {
  const text = await orNull(readFile(join(folder, SUMMARY), 'utf8'));
  return text === null ? null : (JSON.parse(text) as IndexSummary);
}

/** Older numbers, and files of writers that died. */
async function sweep(folder: string): Promise<void> {
  const last = Number(await newest(folder));
  for (const name of await readdir(folder)) {
    const path = join(folder, name);
    const older = name.endsWith(CONTENT) && Number(name.slice(0, -CONTENT.length)) < last;
    const abandoned = name.endsWith('.tmp') && Date.now() - ((await orNull(stat(path)))?.mtimeMs ?? Date.now()) > ABANDONED_MS;
    if (older || abandoned) await orNull(unlink(path));
  }
}

async function orNull<T>(work: Promise<T>): Promise<T | null> {
  try {
    return await work;
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return null;
    throw error;
  }
}
