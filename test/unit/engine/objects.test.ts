import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Engine, runTrustedScript } from '#src/engine/index.js';
import type { S3Connection, S3Credentials } from '#src/files.js';
import { HTTPFS_DIRECTORY } from '#testbed';
import { type S3Server, startS3 } from '../../support/s3.ts';
import { collect } from './arrow-values.ts';
import { EMPTY, never, startEngine, temporaryDirectory } from './fixtures.ts';

const directory = temporaryDirectory();
const file = join(directory, 'one.parquet');
const large = join(directory, 'large.parquet');
const LARGE = "SELECT * FROM read_parquet(['s3://lake/in/large.parquet'])";
let s3: S3Server;
let lake: S3Connection;
let valid: S3Credentials;
let engine: Engine;

beforeAll(async () => {
  await runTrustedScript([
    `COPY (SELECT 4711 AS a, 'value' AS b) TO '${file}' (FORMAT parquet)`,
    `COPY (SELECT i AS a, hash(i) AS b FROM range(2000000) t(i)) TO '${large}' (FORMAT parquet, ROW_GROUP_SIZE 20000)`,
  ]);
  s3 = await startS3();
  for (const bucket of ['lake', 'lake2']) await s3.createBucket(bucket);
  for (const key of ['in/one.parquet', 'in/a b/é+#?*[x]%20/x=1 2/one.parquet', 'in2/one.parquet', 'out/one.parquet', 'one.parquet'])
    await s3.put('lake', key, { file });
  await s3.put('lake2', 'in/one.parquet', { file });
  await s3.put('lake', 'in/large.parquet', { file: large });
  lake = {
    kind: 's3',
    name: 'lake',
    bucket: 'lake',
    prefix: 'in/',
    region: null,
    endpoint: s3.url,
    pathStyle: true,
    credentials: { kind: 'default' },
  };
  valid = { ...s3.root, region: s3.region, expiresAtMs: null };
  engine = await startEngine({ connections: [lake], extensions: HTTPFS_DIRECTORY, threads: 1, streamingBufferBytes: 1024 ** 2 });
  await engine.authorize(lake, valid);
});

afterAll(async () => {
  await engine?.[Symbol.asyncDispose]();
  await s3?.[Symbol.asyncDispose]();
});

async function rowsOf(sql: string, on: Engine = engine): Promise<unknown[][]> {
  return (await collect(await on.run(EMPTY, sql, never()))).rows;
}

async function errorOf(work: Promise<unknown>): Promise<Error> {
  return work.then(
    () => expect.fail('did not fail'),
    (error: unknown) => error as Error,
  );
}

const one = "SELECT a, b FROM read_parquet(['s3://lake/in/one.parquet'])";
const ROWS = [[4711n, 'value']];

describe('objects below the prefix', () => {
  it('are read, whatever their names are: nothing in them is a pattern or a parameter', async () => {
    expect(await rowsOf(one)).toEqual(ROWS);
    expect(await rowsOf("SELECT a, b FROM read_parquet(['s3://lake/in/a b/é+#?*[x]%20/x=1 2/one.parquet'])")).toEqual(ROWS);
    expect(await engine.columns("read_parquet(['s3://lake/in/one.parquet'])")).toEqual([
      { name: 'a', type: 'INTEGER' },
      { name: 'b', type: 'VARCHAR' },
    ]);
    for (const path of [
      's3://lake/in/*.parquet',
      's3://lake/in/one.parquet?s3_endpoint=127.0.0.1:9',
      's3://lake/in/one.parquet?s3_region=x',
    ])
      expect(await errorOf(rowsOf(`SELECT * FROM read_parquet(['${path}'])`))).toMatchObject({ code: 'storage.unavailable' });
  });

  it.each([
    's3://lake/in2/one.parquet',
    's3://lake/out/one.parquet',
    's3://lake/one.parquet',
    's3://lake2/in/one.parquet',
    's3://lake/in/../out/one.parquet',
    's3://lake/in/%2e%2e/out/one.parquet',
    's3://lake/in//../out/one.parquet',
    's3://lake/**/one.parquet',
    's3a://lake/in/one.parquet',
    's3n://lake/out/one.parquet',
    'gcs://lake/in/one.parquet',
    'r2://lake/in/one.parquet',
    'S3://lake/out/one.parquet',
    'LINK/lake/in/one.parquet',
    'LINK/lake/out/one.parquet',
    'http://169.254.169.254/latest/meta-data/',
    'https://lake.s3.amazonaws.com/in/one.parquet',
    'FILE',
    'file://FILE',
    '/etc/passwd',
    'hf://datasets/x/y.parquet',
  ])('are all there is: %s', async (path) => {
    const url = path.replace('LINK', s3.url).replace('FILE', file);
    for (const sql of [`SELECT * FROM read_parquet(['${url}'])`, `SELECT * FROM read_text('${url}')`, `SELECT * FROM '${url}'`]) {
      const error = await errorOf(rowsOf(sql));
      expect(error.message).not.toMatch(/lake|one\.parquet|127\.0\.0\.1|rootkey|root:/);
    }
  });

  it('are not written, and nobody makes or takes a secret', async () => {
    for (const sql of [
      "COPY (SELECT 1 AS a) TO 's3://lake/in/evil.parquet'",
      "CREATE SECRET evil (TYPE s3, ENDPOINT '127.0.0.1:9')",
      'DROP SECRET s3_lake',
      "SET s3_endpoint = '127.0.0.1:9'",
      'SET GLOBAL s3_url_compatibility_mode = false',
      'LOAD httpfs',
    ])
      await expect(rowsOf(sql)).rejects.toThrow();
    const [secret] = await rowsOf('SELECT secret_string, persistent FROM duckdb_secrets()');
    expect(String(secret?.[0])).not.toContain(s3.root.secretAccessKey);
    expect(secret?.[1]).toBe(false);
  });
});

describe('credentials', () => {
  it('are replaced at any time; wrong ones are a fault of the storage that says what to do', async () => {
    for (const wrong of [{ secretAccessKey: "it's wrong" }, { accessKeyId: 'nobody' }, { accessKeyId: '', secretAccessKey: '' }]) {
      await engine.authorize(lake, { ...valid, ...wrong });
      const error = await errorOf(rowsOf(one));
      expect(error).toMatchObject({ code: 'storage.unavailable', message: expect.stringContaining('credentials') });
      expect(error.message).not.toMatch(/lake|one|wrong|nobody|127/);
      await engine.authorize(lake, valid);
      expect(await rowsOf(one)).toEqual(ROWS);
    }
  });

  it('that are no credentials are not repeated', async () => {
    const error = await errorOf(engine.authorize(lake, { ...valid, secretAccessKey: 'half\0secret', region: "x' , ENDPOINT 'evil" })).catch(
      () => null,
    );
    expect(String(error)).not.toContain('half');
    await engine.authorize(lake, valid);
    expect(await rowsOf(one)).toEqual(ROWS);
  });

  it('before there are any, nobody but the connection is asked', async () => {
    await using other = await startEngine({ connections: [lake], extensions: HTTPFS_DIRECTORY });
    const error = await errorOf(rowsOf(one, other));
    expect(error.message).toContain('credentials');
    expect(String(error.cause)).toContain(s3.url);
  });

  it('are not needed where everybody may read', async () => {
    await s3.createBucket('open-data');
    await s3.put('open-data', 'a/one.parquet', { file });
    await s3.openToAll('open-data');
    const open: S3Connection = { ...lake, name: 'open', bucket: 'open-data', prefix: 'a/', credentials: { kind: 'anonymous' } };
    await using other = await startEngine({ connections: [open], extensions: HTTPFS_DIRECTORY });
    await other.authorize(open, { ...valid, accessKeyId: '', secretAccessKey: '' });
    expect(await rowsOf("SELECT a, b FROM read_parquet(['s3://open-data/a/one.parquet'])", other)).toEqual(ROWS);
  });

  it('of several places do not mix: the longest prefix has its own', async () => {
    const inner: S3Connection = { ...lake, name: 'inner', prefix: 'in/a b/' };
    const outer: S3Connection = { ...lake, name: 'outer', bucket: 'lake2', prefix: '' };
    await using other = await startEngine({ connections: [lake, inner, outer], extensions: HTTPFS_DIRECTORY });
    await other.authorize(lake, valid);
    await other.authorize(inner, { ...valid, secretAccessKey: 'wrong' });
    await other.authorize(outer, valid);
    expect(await rowsOf(one, other)).toEqual(ROWS);
    expect(await rowsOf("SELECT a, b FROM read_parquet(['s3://lake2/in/one.parquet'])", other)).toEqual(ROWS);
    const error = await errorOf(rowsOf("SELECT * FROM read_parquet(['s3://lake/in/a b/é+#?*[x]%20/x=1 2/one.parquet'])", other));
    expect(error.message).toContain('credentials');
  });
});

describe('a store', () => {
  it('without the object, or with a shorter one than before, says that it changed', async () => {
    const gone = { code: 'storage.unavailable', message: expect.stringContaining('changed or was removed') };
    expect(await errorOf(rowsOf("SELECT * FROM read_parquet(['s3://lake/in/none.parquet'])"))).toMatchObject(gone);
    const source = await engine.run(EMPTY, LARGE, never());
    (await source.next())?.release();
    await s3.put('lake', 'in/large.parquet', { file });
    expect(await errorOf(collect(source))).toMatchObject(gone);
    await source[Symbol.asyncDispose]();
    await s3.put('lake', 'in/large.parquet', { file: large });
  });

  it('that is stopped does not answer, also in the middle of a result, and is read again when it is back', async () => {
    const silent = { code: 'storage.unavailable', message: expect.stringContaining('does not answer') };
    const source = await engine.run(EMPTY, LARGE, never());
    (await source.next())?.release();
    await s3.stop();
    expect(await errorOf(collect(source))).toMatchObject(silent);
    await source[Symbol.asyncDispose]();
    expect(await errorOf(rowsOf(one))).toMatchObject(silent);
    await s3.start();
    expect(await rowsOf(one)).toEqual(ROWS);
  });
});

describe('without the extension', () => {
  it('an engine with such a connection does not start; the log gets the cure, a client does not', async () => {
    const error = await errorOf(startEngine({ connections: [lake], extensions: '/nowhere/extensions' }));
    expect(error).toMatchObject({ code: 'storage.unavailable' });
    expect(error.message).not.toContain('nowhere');
    expect(String(error.cause)).toContain('SLUICE_EXTENSIONS');
  });

  it('everything else works', async () => {
    await using other = await startEngine({ extensions: '/nowhere/extensions' });
    expect(await rowsOf('SELECT 1 AS a', other)).toEqual([[1n]]);
  });
});
