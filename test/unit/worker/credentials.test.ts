import { expect, it } from 'vitest';
import type { S3Connection, S3Credentials } from '#src/files.js';
import { keepAuthorized } from '#src/worker/credentials.js';

const connection = (name: string): S3Connection => ({
  kind: 's3',
  name,
  bucket: 'b',
  prefix: '',
  region: null,
  endpoint: null,
  pathStyle: false,
  credentials: { kind: 'default' },
});
const credentials = (accessKeyId: string): S3Credentials => ({ accessKeyId, secretAccessKey: 's', expiresAtMs: null, region: 'r' });
const ONE = credentials('1');

async function until(isDone: () => boolean): Promise<void> {
  const deadline = Date.now() + 60_000;
  while (!isDone()) {
    if (Date.now() > deadline) throw new Error('not done');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

it('gives an engine what is in force, and what comes after it, once each', async () => {
  const given: string[] = [];
  const engine = { authorize: async ({ name }: S3Connection, { accessKeyId }: S3Credentials) => void given.push(`${name} ${accessKeyId}`) };
  const now = new Map([
    ['a', credentials('1')],
    ['b', credentials('1')],
  ]);
  let asked = 0;
  const ports = {
    everyMs: 1,
    credentials: async ({ name }: S3Connection) => {
      asked++;
      return now.get(name) ?? Promise.reject(new Error('none'));
    },
  };
  await using _ = await keepAuthorized(engine, [connection('a'), { kind: 'local', name: 'l', directory: '/' }, connection('b')], ports);
  expect(given.sort()).toEqual(['a 1', 'b 1']);
  const before = asked;
  await until(() => asked > before + 10);
  expect(given).toHaveLength(2);
  now.set('b', credentials('2'));
  await until(() => given.length === 3);
  expect(given.at(-1)).toBe('b 2');
});

it('what fails is tried again, and does not keep others waiting', async () => {
  const given: string[] = [];
  let failing = true;
  const engine = {
    authorize: async ({ name }: S3Connection, { accessKeyId }: S3Credentials) => {
      if (failing && name === 'a') throw new Error('the engine is busy');
      given.push(`${name} ${accessKeyId}`);
    },
  };
  const ports = {
    everyMs: 1,
    credentials: async ({ name }: S3Connection) => (failing && name === 'b' ? Promise.reject(new Error('out of reach')) : ONE),
  };
  await using _ = await keepAuthorized(engine, [connection('a'), connection('b'), connection('c')], ports);
  expect(given).toEqual(['c 1']);
  failing = false;
  await until(() => given.length === 3);
  expect(given.slice(1).sort()).toEqual(['a 1', 'b 1']);
});

it('after its end the engine is left alone, also by what was under way', async () => {
  const given: string[] = [];
  const engine = { authorize: async ({ name }: S3Connection) => void given.push(name) };
  const waiting: (() => void)[] = [];
  let first = true;
  const ports = {
    everyMs: 1,
    credentials: async () => {
      if (!first) await new Promise<void>((resolve) => waiting.push(resolve));
      first = false;
      return credentials(String(waiting.length));
    },
  };
  const kept = await keepAuthorized(engine, [connection('a')], ports);
  await until(() => waiting.length === 1);
  const ended = kept[Symbol.asyncDispose]();
  for (const go of waiting) go();
  await ended;
  expect(given).toEqual(['a']);
});
