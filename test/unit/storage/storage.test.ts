import { mkdtempSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Connection, S3Connection } from '#src/files.js';
import { type CredentialEvent, createStorage } from '#src/storage/index.js';
import { type S3Server, startS3 } from '../../support/s3.ts';

const globbed: unknown[] = [];
const events: CredentialEvent[] = [];
const storage = createStorage({
  openSecret: (sealed) => sealed.replace('sealed:', ''),
  glob: async (connections, pattern, max) => {
    globbed.push([connections, pattern, max]);
    return [path, `${path}.b`];
  },
  onCredentials: (event) => events.push(event),
});
let s3: S3Server;
let path: string;

beforeAll(async () => {
  s3 = await startS3();
  await s3.createBucket('lake');
  await s3.put('lake', 'a/in/1.parquet', Buffer.from('one'));
  await s3.put('lake', 'a/2.parquet', Buffer.from('two'));
});

afterAll(async () => {
  storage[Symbol.dispose]();
  await s3?.[Symbol.asyncDispose]();
});

beforeEach(() => {
  path = join(mkdtempSync(join(tmpdir(), 'sluice-storage-')), 'a.parquet');
  writeFileSync(path, 'one');
});

it('gives lengths and versions in the order asked for', async () => {
  const other = `${path}.b`;
  writeFileSync(other, 'three');
  const paths = Array.from({ length: 100 }, (_, index) => (index % 3 === 0 ? other : path));
  const files = await storage.stat([], paths);
  expect(files.map((file) => file.path)).toEqual(paths);
  expect(files.map((file) => file.bytes)).toEqual(paths.map((file) => (file === other ? 5 : 3)));
  await storage.verify([], files);
});

it.each<[string, (path: string) => void]>([
  ['rewritten', (file) => writeFileSync(file, 'another length')],
  ['written again with the same length', (file) => utimesSync(file, new Date(0), new Date(0))],
  [
    'replaced',
    (file) => {
      writeFileSync(`${file}.new`, 'one');
      renameSync(`${file}.new`, file);
    },
  ],
  ['removed', (file) => rmSync(file)],
])('a file that was %s is not the same', async (_, change) => {
  const files = await storage.stat([], [path]);
  change(path);
  await expect(storage.verify([], files)).rejects.toMatchObject({ code: 'storage.unavailable', message: expect.stringContaining('again') });
});

it('patterns of local files are read by whom that was left to, and hidden names are passed over here', async () => {
  const connections: readonly Connection[] = [{ kind: 'local', name: 'files', directory: '/' }];
  writeFileSync(`${path}.b`, 'three');
  const pattern = `${path.slice(0, path.lastIndexOf('/'))}/*.parquet`;
  expect(await storage.list(connections, pattern, { max: 7 })).toEqual(await storage.stat([], [path]));
  expect(globbed.at(-1)).toEqual([connections, pattern, 8]);
});

describe('of several connections', () => {
  const connect = (name: string, prefix: string, accessKeyId = s3.root.accessKeyId): S3Connection => ({
    kind: 's3',
    name,
    bucket: 'lake',
    prefix,
    region: null,
    endpoint: s3.url,
    pathStyle: true,
    credentials: { kind: 'static', accessKeyId, sealedSecretAccessKey: `sealed:${s3.root.secretAccessKey}` },
  });

  it('each path goes to the one that it lies below, the longest prefix first', async () => {
    const connections = [connect('a', 'a/'), connect('in', 'a/in/', 'nobody')];
    const paths = ['s3://lake/a/2.parquet', path];
    expect((await storage.stat(connections, paths)).map(({ path: found, bytes }) => [found, bytes])).toEqual(paths.map((one) => [one, 3]));
    await storage.verify(connections, await storage.stat(connections, paths));
    const refused = { code: 'storage.unavailable', message: expect.stringContaining('credentials') };
    await expect(storage.stat(connections, ['s3://lake/a/in/1.parquet'])).rejects.toMatchObject(refused);
    await expect(storage.list(connections, 's3://lake/a/in/*.parquet', { max: 1 })).rejects.toMatchObject(refused);
    expect(await storage.list([connections[0] as S3Connection], 's3://lake/a/in/*.parquet', { max: 1 })).toHaveLength(1);
  });

  it.each(['s3://lake/b/2.parquet', 's3://lake2/a/2.parquet', 's3://lake/a', 's3://lake/'])(
    'nothing beside them is asked for: %s',
    async (at) => {
      const connections = [connect('a', 'a/')];
      const unavailable = { code: 'storage.unavailable' };
      await expect(storage.stat(connections, [at])).rejects.toMatchObject(unavailable);
      await expect(storage.list(connections, at, { max: 1 })).rejects.toMatchObject(unavailable);
      await expect(storage.verify(connections, [{ path: at, bytes: 3, version: '"x"' }])).rejects.toMatchObject(unavailable);
    },
  );

  it('credentials are told with their region, and once for all who ask', async () => {
    const connection = { ...connect('told', 'a/'), region: 'eu-central-1' };
    const { renewals } = storage.stats();
    const [one, two] = await Promise.all([storage.credentials(connection), storage.credentials(connection)]);
    expect(one).toEqual({ ...s3.root, region: 'eu-central-1', expiresAtMs: null });
    expect(two).toBe(one);
    expect(storage.stats()).toEqual({ renewals: renewals + 1, failures: 0 });
    expect(events.filter((event) => event.connection === 'told')).toEqual([{ connection: 'told', outcome: 'renewed', cause: undefined }]);
  });

  it('it is told which can be reached', async () => {
    await storage.reachable(connect('a', 'a/'));
    await storage.reachable({ kind: 'local', name: 'l', directory: tmpdir() });
    const unavailable = { code: 'storage.unavailable' };
    await expect(storage.reachable(connect('a', 'a/', 'nobody'))).rejects.toMatchObject(unavailable);
    await expect(storage.reachable({ kind: 'local', name: 'l', directory: '/nowhere' })).rejects.toMatchObject(unavailable);
    await expect(storage.reachable({ kind: 'duckdb', name: 'd', file: '/nowhere/x' })).rejects.toMatchObject(unavailable);
  });
});
