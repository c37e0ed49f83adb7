/** A policy directory in a temporary place, written and edited by tests. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createFileStore, type FileStore, type FileStoreOptions } from '#src/catalog/file-store.js';
import { checkPolicy } from '#src/policy/index.js';
import { replaceFile } from '../../support/replace-file.ts';

export const FILES: Readonly<Record<string, string>> = {
  'catalog.yaml': `catalog: lab
defaultSchema: demo
connections:
  lake: { kind: local, directory: "\${data}/lake" }
  shop: { kind: duckdb, file: shop.duckdb }
tags:
  pii: Personal
  email:
datasets:
  demo.people:
    description: People
    parquet: people.parquet
    tags: [pii]
    columns:
      email: { tags: [pii, email], description: Address }
  demo.things:
    table: stock.things
    columns:
      id: { type: INTEGER }
  demo.both:
    view: SELECT 1
`,
  'policy.csv': 'p, reader, demo.*, select, allow, g1\ng, user:ann, reader\n',
  'rules.yaml': 'rowFilters: []\nmasks:\n  - { id: m1, tags: [email], mask: email }\n',
  'users.yaml': `users:
  ann:
    passwordHash: ${hash('a')}
    groups: [crew]
    attributes: { region: [EU, US], level: 007 }
`,
};

/** A well-formed hash of no password. */
export function hash(letter: string): string {
  return `scrypt$16384$8$1$${Buffer.from(letter.repeat(16)).toString('base64')}$${Buffer.from(letter.repeat(32)).toString('base64')}`;
}

export interface Directory extends AsyncDisposable {
  readonly path: string;
  write(name: string, text: string): Promise<void>;
}

export async function makeDirectory(files: Readonly<Record<string, string>> = FILES): Promise<Directory> {
  const path = await mkdtemp(join(tmpdir(), 'policies-'));
  const write = (name: string, text: string): Promise<void> => replaceFile(join(path, name), text);
  for (const [name, text] of Object.entries(files)) await write(name, text);
  return { path, write, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

export const COLUMNS: Awaited<ReturnType<FileStoreOptions['resolveColumns']>> = new Map([
  [
    'demo.people',
    [
      { name: 'id', type: 'BIGINT' },
      { name: 'Email', type: 'VARCHAR' },
    ],
  ],
  ['demo.both', [{ name: 'one', type: 'INTEGER' }]],
]);

/** Collects problems; `more` overrides. */
export async function openStore(directory: Directory, problems: string[] = [], more: Partial<FileStoreOptions> = {}): Promise<FileStore> {
  return createFileStore({
    directory: directory.path,
    dataDirectory: '/srv',
    parsePredicate: async () => ({ kind: 'boolean', value: true }),
    supportsMask: () => true,
    resolveColumns: async () => COLUMNS,
    check: checkPolicy,
    onProblems: (found) => problems.push(...found),
    ...more,
  });
}
