/** The opt-in wire forms, read back by pyarrow and compared with the plain form of the same rows. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Analyzer, createAnalyzer, type Engine } from '#src/engine/index.js';
import { type BatchSource, PLAIN_FORM, type WireForm } from '#src/model.js';
import { PYTHON } from '../../support/testbed.mjs';
import { ipcStream } from './arrow-values.ts';
import { selectAll } from './columns.ts';
import { EMPTY, never, startEngine, temporaryDirectory } from './fixtures.ts';

interface Verdict {
  readonly types: readonly string[];
  readonly rows: number;
  readonly same: boolean;
  readonly error?: string;
}

const VIEWS: WireForm = { ...PLAIN_FORM, strings: 'view' };
const DICTIONARIES: WireForm = { ...PLAIN_FORM, enums: 'dictionary' };
const ALL: WireForm = { strings: 'view', enums: 'dictionary', compression: 'lz4' };
const FORMS: readonly (readonly [string, WireForm])[] = [
  ['views', VIEWS],
  ['dictionaries', DICTIONARIES],
  ['lz4', { ...PLAIN_FORM, compression: 'lz4' }],
  ['zstd', { ...PLAIN_FORM, compression: 'zstd' }],
  ['views, dictionaries and lz4', ALL],
  ['views, dictionaries and zstd', { ...ALL, compression: 'zstd' }],
];

let engine: Engine;
let analyzer: Analyzer;
let python: ReturnType<typeof spawn>;
let answers: AsyncIterator<string>;
const directory = temporaryDirectory();
let files = 0;

beforeAll(async () => {
  engine = await startEngine();
  analyzer = await createAnalyzer();
  python = spawn(PYTHON, [fileURLToPath(new URL('read-ipc.py', import.meta.url))], { stdio: ['pipe', 'pipe', 'inherit'] });
  answers = createInterface({ input: python.stdout as NodeJS.ReadableStream })[Symbol.asyncIterator]();
});

afterAll(async () => {
  await engine[Symbol.asyncDispose]();
  await analyzer[Symbol.asyncDispose]();
  python.stdin?.end();
  if (python.exitCode === null) await once(python, 'close');
});

interface Stream {
  readonly path: string;
  readonly bytes: number;
  readonly batches: number;
  readonly largest: number;
}

async function save(source: BatchSource): Promise<Stream> {
  const messages: { header: Uint8Array; body: Uint8Array }[] = [];
  try {
    for (let batch = await source.next(); batch !== null; batch = await source.next()) {
      messages.push({ header: batch.header, body: Uint8Array.from(batch.body) });
      batch.release();
    }
  } finally {
    await source[Symbol.asyncDispose]();
  }
  const path = join(directory, `${files++}.arrows`);
  const stream = ipcStream(source.schemaHeader, messages);
  writeFileSync(path, stream);
  const largest = Math.max(0, ...messages.map(({ header, body }) => header.length + body.length));
  return { path, bytes: stream.length, batches: messages.length, largest };
}

/** Runs `sql` plainly and in `form`, and lets pyarrow compare. */
async function compare(sql: string, form: WireForm): Promise<Verdict & { readonly plain: Stream; readonly other: Stream }> {
  const plain = await save(await engine.run(EMPTY, sql, never()));
  const source = await engine.run(EMPTY, sql, never(), form);
  const { schemaHeader } = await analyzer.describe(EMPTY, sql, form);
  expect(Buffer.from(source.schemaHeader).equals(Buffer.from(schemaHeader))).toBe(true);
  const other = await save(source);
  python.stdin?.write(`${JSON.stringify([plain.path, other.path])}\n`);
  const verdict = JSON.parse((await answers.next()).value) as Verdict;
  expect(verdict.error).toBeUndefined();
  return { ...verdict, plain, other };
}

describe.each(FORMS)('%s', (_, form) => {
  it.each([0, 1, 2047, 5000])('%i rows of all types', async (rows) => {
    expect(await compare(selectAll(rows, 'i % 7 = 3'), form)).toMatchObject({ same: true, rows });
  });

  it('columns without NULLs and columns of NULLs only', async () => {
    expect(await compare(selectAll(2500, 'false'), form)).toMatchObject({ same: true });
    expect(await compare(selectAll(2500, 'true'), form)).toMatchObject({ same: true });
  });

  it('chunks of odd sizes and texts of every length around 12 bytes', async () => {
    const sql = `SELECT i, nullif(repeat('é', i % 9) || repeat('x', i % 3), '') AS t, [repeat('y', i % 29), NULL] AS l,
      encode(repeat('z', i % 15)) AS b, {'s': repeat('w', i % 14)} AS s FROM range(60000) r(i) WHERE i % 5 <> 2`;
    expect(await compare(sql, form)).toMatchObject({ same: true, rows: 48_000 });
  });

  it('long texts, many batches, no message above the limit', async () => {
    const sql = `SELECT i, repeat(md5(i::VARCHAR), 1 + i % 200) AS t, random()::VARCHAR IS NULL AS r FROM range(12000) r(i)`;
    const { same, other } = await compare(sql, form);
    expect(same).toBe(true);
    expect(other.batches).toBeGreaterThan(1);
    expect(other.largest).toBeLessThan(4 * 1024 * 1024);
  });

  it('a row larger than a slot', async () => {
    expect(await compare(`SELECT repeat(md5('x'), 200000) AS t, 1 AS i UNION ALL SELECT 'short', 2`, form)).toMatchObject({
      same: true,
      rows: 2,
    });
  });
});

describe('types', () => {
  it('views stand for texts and binaries, also inside other types', async () => {
    const sql =
      "SELECT 'a' AS t, 'b'::BLOB AS b, ['c'] AS l, {'s': 'd'} AS s, '101'::BIT AS i, 'x'::ENUM('x') AS e, MAP {'k': 'v'} AS m, 1 AS n";
    expect((await compare(sql, VIEWS)).types).toEqual([
      'string_view',
      'binary_view',
      'list<item: string_view>',
      'struct<s: string_view>',
      'string_view',
      'string_view',
      'map<string_view, string_view>',
      'int32',
    ]);
  });

  it('an enum is a dictionary with the narrowest signed index that holds it', async () => {
    const members = (count: number): string => Array.from({ length: count }, (_, index) => `'value ${index}'`).join(', ');
    const column = (count: number): string => `('value ' || (i % ${count}))::ENUM(${members(count)})`;
    const sql = `SELECT ${[1, 128, 129, 255, 300].map(column).join(', ')}, [${column(3)}] FROM range(3000) r(i)`;
    const { types, same } = await compare(sql, DICTIONARIES);
    expect(same).toBe(true);
    expect(types).toEqual([
      ...['int8', 'int8', 'uint8', 'uint8', 'int16'].map((index) => `dictionary<values=string, indices=${index}, ordered=0>`),
      'list<item: dictionary<values=string, indices=int8, ordered=0>>',
    ]);
  });

  it('an enum with too many values for one message stays text', async () => {
    const members = Array.from({ length: 32_769 }, (_, index) => `'v${index}'`).join(', ');
    const { types, same } = await compare(`SELECT 'v7'::ENUM(${members})`, DICTIONARIES);
    expect({ types, same }).toEqual({ types: ['string'], same: true });
  });

  it('what lies under a NULL is not sent as a view', async () => {
    const sql =
      "SELECT nullif(t, 'secret value') AS a, nullif(t, 'a secret value longer than a view') AS b FROM (VALUES ('secret value'), ('a secret value longer than a view')) v(t)";
    const source = await engine.run(
      EMPTY,
      `SELECT a FROM (${sql}) WHERE a IS NULL UNION ALL SELECT b FROM (${sql}) WHERE b IS NULL`,
      never(),
      VIEWS,
    );
    const batch = await source.next();
    expect(Buffer.from(batch?.body ?? '').includes('secret')).toBe(false);
    batch?.release();
    await source[Symbol.asyncDispose]();
  });

  it.each(['lz4', 'zstd'] as const)('%s makes repetitive data small and leaves random data as it is', async (compression) => {
    const form = { ...PLAIN_FORM, compression };
    const small = await compare("SELECT i // 1000 AS n, 'the same text' AS t FROM range(100000) r(i)", form);
    expect(small.same).toBe(true);
    expect(small.other.bytes).toBeLessThan(small.plain.bytes / 4);
    const random = await compare('SELECT hash(i) AS h FROM range(100000) r(i)', form);
    expect(random.same).toBe(true);
    expect(random.other.bytes).toBeLessThan(random.plain.bytes * 1.01);
  });
});
