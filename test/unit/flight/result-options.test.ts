import { describe, expect, test } from 'vitest';
import { resultOptions } from '#src/flight/result-options.js';
import { PLAIN_FORM } from '#src/model.js';

const ADBC = 'ADBC Flight SQL Driver v1.13.0 grpc-go/1.84.0';
const JDBC = 'grpc-java-netty/1.71.0';

const options = (userAgent: string, headers: Record<string, string> = {}, session: Record<string, string> = {}) =>
  resultOptions({ userAgent, header: (name) => headers[name], session });

describe('by user-agent', () => {
  test.each([
    [ADBC, 16, true],
    [JDBC, 4, false],
    ['JDBC Flight SQL Driver 19.0.0 grpc-java-netty/1.71', 4, false],
    ['some-app grpc-java-netty/1.71', 4, false],
    ['grpc-c++/1.81.0 grpc-c/49.0.0 (linux; chttp2)', 1, true],
    ['grpc-go/1.60.0', 1, true],
    ['grpc-node-js/1.14.0', 1, true],
    ['Mozilla ADBC Flight SQL Driver', 1, true],
    ['', 1, true],
  ])('%s reads %i endpoints, in order: %s', (userAgent, endpointsMax, readsInOrder) => {
    expect(options(userAgent)).toEqual({ schema: null, form: PLAIN_FORM, endpointsMax, readsInOrder });
  });
});

describe('by choice', () => {
  test('headers win over the session, the session over the client', () => {
    expect(options(ADBC, { endpoints: 'single' }, { endpoints: 'parallel' }).endpointsMax).toBe(1);
    expect(options('x', {}, { endpoints: 'parallel' }).endpointsMax).toBe(16);
    expect(options('x', { endpoints: 'auto' }, { endpoints: 'parallel' }).endpointsMax).toBe(1);
    expect(options(JDBC, { endpoints: 'parallel' })).toMatchObject({ endpointsMax: 16, readsInOrder: false });
    expect(options('x', { schema: 'a' }, { schema: 'b' }).schema).toBe('a');
    expect(options('x', {}, { schema: 'b' }).schema).toBe('b');
  });

  test('a form is given to those who can read it', () => {
    const rich = { strings: 'view', enums: 'dictionary', compression: 'zstd' } as const;
    expect(options(ADBC, rich).form).toEqual(rich);
    expect(options('grpc-c++/1.81', {}, rich).form).toEqual(rich);
    expect(options('x', { compression: 'lz4' }).form).toEqual({ ...PLAIN_FORM, compression: 'lz4' });
    expect(options(JDBC, rich).form).toEqual(PLAIN_FORM);
  });

  test('messages are as small as asked for, also those of JDBC', () => {
    expect(options(ADBC, { batch_bytes: '65536' }).form).toEqual({ ...PLAIN_FORM, batchBytes: 65_536 });
    expect(options(JDBC, { strings: 'view' }, { batch_bytes: '100000' }).form).toEqual({ ...PLAIN_FORM, batchBytes: 100_000 });
    for (const size of ['65535', '16777217', '1e6', '-1', '', '0x10000', ' 65536', '99999999999'])
      expect(() => options(ADBC, { batch_bytes: size }), size).toThrow('x-sluice-batch-bytes is a number from 65536 to 16777216');
  });

  test.each([
    ['endpoints', 'many', 'x-sluice-endpoints is one of auto, single, parallel'],
    ['strings', '', 'x-sluice-strings is one of utf8, view'],
    ['enums', 'DICTIONARY', 'x-sluice-enums is one of utf8, dictionary'],
    ['compression', 'gzip', 'x-sluice-compression is one of none, lz4, zstd'],
  ])('%s: %j is refused, also from JDBC', (name, value, message) => {
    for (const userAgent of [ADBC, JDBC])
      expect(() => options(userAgent, { [name]: value })).toThrow(expect.objectContaining({ code: 'request.malformed', message }));
  });
});
