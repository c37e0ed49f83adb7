import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createAuditFile, createAuditLog } from '#src/audit.js';
import { SluiceError } from '#src/errors.js';

const request = { requestId: 'r1', method: 'DoGet', peer: '127.0.0.1:1' };

test('one record per request, however often it is finished', () => {
  const lines: string[] = [];
  let clock = 1000;
  const entry = createAuditLog(
    (line) => lines.push(line),
    () => clock,
  ).begin(request);
  entry.add({ principal: 'ada', rows: 1 });
  entry.add({ rows: 2 });
  clock = 1250;
  entry.finish('ok');
  entry.finish('error', new Error('late'));
  expect(lines).toHaveLength(1);
  expect(JSON.parse(lines[0] ?? '')).toEqual({
    ...request,
    time: '1970-01-01T00:00:01.000Z',
    outcome: 'ok',
    durationMs: 250,
    principal: 'ada',
    rows: 2,
  });
});

test('a failure is recorded with its code and its private cause', () => {
  const lines: string[] = [];
  createAuditLog((line) => lines.push(line))
    .begin(request)
    .finish('refused', new SluiceError('sql.runtime', 'public text', new Error('private text')));
  expect(JSON.parse(lines[0] ?? '')).toMatchObject({
    outcome: 'refused',
    code: 'sql.runtime',
    error: 'public text',
    cause: 'Error: private text',
  });
});

test('a huge statement is recorded by its beginning, length and hash', () => {
  const lines: string[] = [];
  const entry = createAuditLog((line) => lines.push(line)).begin(request);
  entry.add({ statement: `SELECT '${'x'.repeat(1_000_000)}'` });
  entry.finish('refused');
  expect(lines[0]?.length).toBeLessThan(20_000);
  expect(JSON.parse(lines[0] ?? '')).toMatchObject({
    statementLength: 1_000_009,
    statementSha256: expect.stringMatching(/^[0-9a-f]{64}$/),
  });
});

test('the file is appended to and readable by its owner only', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'sluice-audit-'));
  const path = join(directory, 'deep', 'audit.jsonl');
  for (const requestId of ['a', 'b']) {
    await using log = await createAuditFile(path);
    log.begin({ ...request, requestId }).finish('ok');
  }
  const lines = (await readFile(path, 'utf8')).trim().split('\n');
  expect(lines.map((line) => JSON.parse(line).requestId)).toEqual(['a', 'b']);
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  await rm(directory, { recursive: true });
});
