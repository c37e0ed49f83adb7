import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { status } from '@grpc/grpc-js';
import { expect, test } from 'vitest';
import { ERRORS, fail, hasCode, SluiceError, toSluiceError } from '#src/errors.js';

const source = readdirSync('src', { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts') && file !== 'errors.ts')
  .map((file) => readFileSync(join('src', file), 'utf8'))
  .join('\n');

test.each(Object.entries(ERRORS))('%s is raised somewhere, has a gRPC status and is explained', (code, spec) => {
  expect(source).toContain(`'${code}'`);
  expect(status).toHaveProperty(spec.status);
  expect(spec.doc.length).toBeGreaterThan(20);
});

test('a foreign error becomes internal and keeps its text inside', () => {
  const cause = new Error('secret value 42');
  const error = toSluiceError(cause);
  expect(error).toMatchObject({ code: 'server.internal', message: 'internal error', cause });
  expect(toSluiceError(error)).toBe(error);
});

test('fail throws the public text with the private cause', () => {
  expect(() => fail('sql.empty', 'the statement is empty', 'why')).toThrow(SluiceError);
});

test('codes of the system, and of errors only', () => {
  const missing = Object.assign(new Error('gone'), { code: 'ENOENT' });
  expect(hasCode(missing, 'EEXIST', 'ENOENT')).toBe(true);
  expect([
    hasCode(missing, 'EEXIST'),
    hasCode(missing),
    hasCode(new Error('gone'), 'ENOENT'),
    hasCode({ code: 'ENOENT' }, 'ENOENT'),
  ]).toEqual([false, false, false, false]);
});
