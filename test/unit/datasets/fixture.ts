/** Real files under a directory, a real engine over it, and an index store in memory. */
import { mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createFileIndexStore, createIndexFiles, type FileIndexStore } from '#src/catalog/index.js';
import type { FileSource, IndexPorts, IndexRequest } from '#src/datasets/types.js';
import { type Engine, runTrustedScript } from '#src/engine/index.js';
import type { StoredFile } from '#src/files.js';
import { startEngine } from '../engine/fixtures.ts';

export interface FilesWorld extends AsyncDisposable {
  readonly directory: string;
  readonly engine: Engine;
  readonly indexes: FileIndexStore;
  readonly ports: IndexPorts;
  /** Paths that were opened for their footers or headers. */
  readonly opened: string[];
  /** Engines leased and not released. */
  readonly counts: { leased: number };
  write(path: string, select: string): Promise<string>;
  request(more?: Partial<IndexRequest>): IndexRequest;
}

export async function openFiles(): Promise<FilesWorld> {
  const root = mkdtempSync(join(tmpdir(), 'sluice-files-'));
  const directory = join(root, 'lake');
  mkdirSync(directory);
  const engine = await startEngine({ connections: [{ kind: 'local', name: 'lake', directory }] });
  const opened: string[] = [];
  const counts = { leased: 0 };
  const indexes = createFileIndexStore({ backend: createIndexFiles(join(root, 'indexes')), onProblems: () => {} });
  const watched: Pick<Engine, 'columns' | 'fileStatistics'> = {
    columns: (relation) => {
      opened.push(relation);
      return engine.columns(relation);
    },
    fileStatistics: (paths) => {
      opened.push(...paths);
      return engine.fileStatistics(paths);
    },
  };
  const source: FileSource = { kind: 'parquet', connection: 'lake', path: join(directory, '**', '*.parquet'), hivePartitioning: false };
  return {
    directory,
    engine,
    indexes,
    opened,
    counts,
    ports: {
      list: async (_, pattern, { max }) => (await engine.files(pattern, max + 1)).map(storedFile),
      lease: async () => {
        counts.leased++;
        return { engine: watched, release: () => void counts.leased-- };
      },
      indexes,
      now: () => 5,
    },
    write: async (path, select) => {
      const file = join(directory, path);
      mkdirSync(dirname(file), { recursive: true });
      await runTrustedScript([`COPY (${select}) TO '${file}'`]);
      return file;
    },
    request: (more) => ({
      id: 'd',
      source,
      connections: [{ kind: 'local', name: 'lake', directory }],
      columns: null,
      previous: null,
      signal: new AbortController().signal,
      ...more,
    }),
    [Symbol.asyncDispose]: async () => {
      await engine[Symbol.asyncDispose]();
      rmSync(root, { recursive: true });
    },
  };
}

function storedFile(path: string): StoredFile {
  const { size, mtimeNs, ino } = statSync(path, { bigint: true });
  return { path, bytes: Number(size), version: `${mtimeNs}-${ino}` };
}
