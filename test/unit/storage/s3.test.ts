import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { S3Connection } from '#src/files.js';
import { createCredentialCache } from '#src/storage/credential-cache.js';
import { S3Store } from '#src/storage/s3.js';
import { type S3Account, type S3Server, startS3 } from '../../support/s3.ts';

const BYTES = Buffer.from('bytes');
let s3: S3Server;

beforeAll(async () => {
  s3 = await startS3();
  await s3.createBucket('lake');
});

afterAll(async () => {
  await s3?.[Symbol.asyncDispose]();
});

function connect(prefix: string, given: { account?: () => S3Account; url?: string; bucket?: string; anonymous?: boolean } = {}): S3Store {
  const connection: S3Connection = {
    kind: 's3',
    name: 'lake',
    bucket: given.bucket ?? 'lake',
    prefix,
    region: null,
    endpoint: given.url ?? s3.url,
    pathStyle: true,
    credentials: { kind: given.anonymous === true ? 'anonymous' : 'default' },
  };
  let nowMs = 0;
  const cache = createCredentialCache({
    resolve: async () => ({ ...(given.account?.() ?? s3.root), expiresAtMs: null, region: s3.region }),
    // Each look at the clock is a minute later, so that nothing is too recent to be asked for again.
    now: () => (nowMs += 60_000),
    onOutcome: () => {},
  });
  return new S3Store(connection, cache);
}

async function keysOf(store: S3Store, pattern: string, max = 10_000): Promise<string[]> {
  const files = await store.list(pattern, { max });
  return files.map(({ path }) => path.replace('s3://lake/', ''));
}

async function putAll(keys: readonly string[]): Promise<void> {
  for (let at = 0; at < keys.length; at += 32) await Promise.all(keys.slice(at, at + 32).map((key) => s3.put('lake', key, BYTES)));
}

describe('listing', () => {
  it('gives what a pattern means, ordered by path, without what writers hide', async () => {
    const keys = ['y=2/b.parquet', 'y=10/a.parquet', 'a b/é+#?.parquet', 'top.parquet', 'y=2/c.csv', '_log/x.parquet', 'y=2/.x.parquet'];
    await putAll(keys.map((key) => `names/${key}`));
    using store = connect('names/');
    expect(await keysOf(store, 'names/**/*.parquet')).toEqual([
      'names/a b/é+#?.parquet',
      'names/top.parquet',
      'names/y=10/a.parquet',
      'names/y=2/b.parquet',
    ]);
    expect(await keysOf(store, 'names/*.parquet')).toEqual(['names/top.parquet']);
    expect(await keysOf(store, 'names/y=*/*')).toEqual(['names/y=10/a.parquet', 'names/y=2/b.parquet', 'names/y=2/c.csv']);
    expect(await keysOf(store, 'names/y=2/b.parquet')).toEqual(['names/y=2/b.parquet']);
    expect(await keysOf(store, 'names/y=2/gone.parquet')).toEqual([]);
    expect(await keysOf(store, 'names/none/**')).toEqual([]);
    expect(await keysOf(store, 'names/_log/*')).toEqual(['names/_log/x.parquet']);
    expect((await store.list('names/top.parquet', { max: 1 }))[0]).toEqual({
      path: 's3://lake/names/top.parquet',
      bytes: BYTES.length,
      version: await s3.etag('lake', 'names/top.parquet'),
    });
  });

  it('goes page by page, tells how far it is, and ends after what was asked for', async () => {
    const keys = Array.from({ length: 2300 }, (_, index) => `many/p=${index % 7}/${String(index).padStart(5, '0')}.parquet`);
    await putAll(keys);
    using store = connect('many/');
    const progress: number[] = [];
    const files = await store.list('many/**/*.parquet', { max: 10_000, onProgress: (found) => progress.push(found) });
    expect(files.map(({ path }) => path.replace('s3://lake/', ''))).toEqual([...keys].sort());
    expect(progress).toEqual([1000, 2000, 2300]);
    expect(await store.list('many/**', { max: 1500 })).toHaveLength(1501);
    const found = await store.stat(keys);
    expect(found.map(({ path }) => path)).toEqual(keys.map((key) => `s3://lake/${key}`));
    expect(found.map(({ version }) => version)).toEqual(found.map(() => found[0]?.version));
    await expect(store.list('many/**', { max: 10, signal: AbortSignal.abort() })).rejects.toThrow();
  });
});

it('some objects far apart are found among many others', async () => {
  const keys = Array.from({ length: 70 }, (_, index) => `far/${index === 69 ? 'z' : 'a'}/${index}.parquet`);
  await putAll([...keys, ...Array.from({ length: 40 }, (_, index) => `far/k/${index}.parquet`)]);
  using store = connect('far/');
  expect((await store.stat(keys)).map(({ path }) => path)).toEqual(keys.map((key) => `s3://lake/${key}`));
  await s3.delete('lake', 'far/a/7.parquet');
  await expect(store.stat(keys)).rejects.toMatchObject({ code: 'storage.unavailable', message: expect.stringContaining('removed') });
});

it('an object that was replaced has another version', async () => {
  await s3.put('lake', 'one/a', Buffer.from('old'));
  using store = connect('one/');
  const [before] = await store.stat(['one/a']);
  await s3.put('lake', 'one/a', Buffer.from('new'));
  const [after] = await store.stat(['one/a']);
  expect(after?.bytes).toBe(before?.bytes);
  expect(after?.version).not.toBe(before?.version);
});

describe('credentials', () => {
  it('that are refused are asked for once more: the next ones serve at once', async () => {
    await s3.createAccount({ accessKeyId: 'second', secretAccessKey: 'second-secret' });
    const accounts = [{ accessKeyId: 'first', secretAccessKey: 'first-secret' }];
    using store = connect('one/', { account: () => accounts.at(-1) ?? s3.root });
    await expect(store.reachable()).rejects.toMatchObject({ code: 'storage.unavailable', message: expect.stringContaining('credentials') });
    accounts.push({ accessKeyId: 'second', secretAccessKey: 'second-secret' });
    await store.reachable();
  });

  it('with a wrong secret say so, and name nothing', async () => {
    using store = connect('one/', { account: () => ({ ...s3.root, secretAccessKey: 'wrong-secret' }) });
    for (const work of [() => store.reachable(), () => store.list('one/*', { max: 1 }), () => store.stat(['one/a'])]) {
      const error = await work().then(
        () => null,
        (caught: unknown) => caught as Error,
      );
      expect(error).toMatchObject({ code: 'storage.unavailable', message: expect.stringContaining('credentials') });
      expect(error?.message).not.toMatch(/lake|one|wrong|root/);
    }
  });

  it('that are nowhere to be found are a fault of the storage too', async () => {
    using store = connect('one/', {
      account: () => {
        throw Object.assign(new Error('no profile secret-profile'), { name: 'CredentialsProviderError' });
      },
    });
    const refused = { code: 'storage.unavailable', message: expect.stringContaining('credentials') };
    await expect(store.reachable()).rejects.toMatchObject(refused);
    await expect(store.list('one/*', { max: 1 })).rejects.toMatchObject(refused);
  });

  it('are not needed where everybody may read', async () => {
    await s3.createBucket('open-data');
    await s3.put('open-data', 'a/x.parquet', BYTES);
    using store = connect('a/', { bucket: 'open-data', anonymous: true });
    await expect(store.reachable()).rejects.toMatchObject({ code: 'storage.unavailable' });
    await s3.openToAll('open-data');
    expect(await store.list('a/*.parquet', { max: 1 })).toHaveLength(1);
  });
});

describe('a store', () => {
  it('that is stopped is unavailable, and there again when it is started', async () => {
    using store = connect('one/');
    await s3.stop();
    await expect(store.reachable()).rejects.toMatchObject({
      code: 'storage.unavailable',
      message: expect.stringContaining('does not answer'),
    });
    await s3.start();
    await store.reachable();
  });

  it('that is busy for a moment is asked again', async () => {
    let asked = 0;
    const { server, url } = await listen(() => (++asked < 3 ? 503 : 404));
    using store = connect('one/', { url });
    expect(await store.list('one/a', { max: 1 })).toEqual([]);
    expect(asked).toBe(3);
    server.close();
  });

  it('that stays busy, or fails, is unavailable in its own words', async () => {
    for (const [status, text] of [
      [503, 'busy'],
      [500, 'could not be read'],
      [418, 'could not be read'],
    ] as const) {
      const { server, url } = await listen(() => status);
      using store = connect('one/', { url });
      await expect(store.stat(['one/a'])).rejects.toMatchObject({ code: 'storage.unavailable', message: expect.stringContaining(text) });
      server.close();
    }
  });
});

it('an object without ETag is the same in a list and by itself', async () => {
  const server = createServer((request, response) => {
    if (request.method === 'HEAD') response.setHeader('last-modified', 'Sun, 22 Nov 2026 10:00:01 GMT').setHeader('content-length', 5);
    const object = '<Contents><Key>one/a.x</Key><LastModified>2026-11-22T10:00:01.789Z</LastModified><Size>5</Size></Contents>';
    response.end(request.method === 'HEAD' ? '' : `<ListBucketResult><IsTruncated>false</IsTruncated>${object}</ListBucketResult>`);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  using store = connect('one/', { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
  const listed = await store.list('one/*.x', { max: 1 });
  expect(listed).toHaveLength(1);
  expect(await store.stat(['one/a.x'])).toEqual(listed);
  server.close();
});

/** A server that answers with nothing but a status. */
async function listen(answer: () => number): Promise<{ readonly server: Server; readonly url: string }> {
  const server = createServer((_, response) => response.writeHead(answer()).end());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}
