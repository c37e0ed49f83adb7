import protobuf from 'protobufjs';
import { expect, test } from 'vitest';
import { decodeHealthRequest, decodeReflectionRequest, encodeHealthResponse, encodeReflectionAnswer } from '#src/wire/index.js';

const field = (number: number, text: string): Buffer =>
  Buffer.from(
    protobuf.Writer.create()
      .uint32((number << 3) | 2)
      .string(text)
      .finish(),
  );

test('health messages have the numbers of the public interface', () => {
  expect(decodeHealthRequest(new Uint8Array())).toBe('');
  expect(decodeHealthRequest(field(1, 'a.B'))).toBe('a.B');
  expect([...encodeHealthResponse('SERVING')]).toEqual([8, 1]);
  expect([...encodeHealthResponse('NOT_SERVING')]).toEqual([8, 2]);
  expect([...encodeHealthResponse('SERVICE_UNKNOWN')]).toEqual([8, 3]);
  expect(() => decodeHealthRequest(Buffer.of(0xff))).toThrow(/HealthCheckRequest/);
});

test('each reflection question is told apart', () => {
  expect(decodeReflectionRequest(field(3, 'a.proto'))).toEqual({ kind: 'file', name: 'a.proto' });
  expect(decodeReflectionRequest(field(4, 'a.B'))).toEqual({ kind: 'symbol', name: 'a.B' });
  expect(decodeReflectionRequest(field(7, ''))).toEqual({ kind: 'services' });
  expect(decodeReflectionRequest(field(6, 'a.B'))).toEqual({ kind: 'extensions' });
  expect(decodeReflectionRequest(field(5, ''))).toEqual({ kind: 'extensions' });
  expect(decodeReflectionRequest(new Uint8Array())).toEqual({ kind: 'unknown' });
  expect(() => decodeReflectionRequest(Buffer.of(0x22, 0x7f))).toThrow(/ServerReflectionRequest/);
});

test('an answer carries its question', () => {
  const bytes = Buffer.from(encodeReflectionAnswer({ kind: 'symbol', name: 'a.B' }, { error: { code: 5, message: 'none' } }));
  expect(bytes.includes(field(4, 'a.B'))).toBe(true);
  expect(bytes.includes(field(2, 'none'))).toBe(true);
  const services = Buffer.from(encodeReflectionAnswer({ kind: 'services' }, { services: ['a.B', 'c.D'] }));
  expect(services.includes(field(1, 'a.B')) && services.includes(field(1, 'c.D'))).toBe(true);
  const files = Buffer.from(encodeReflectionAnswer({ kind: 'file', name: 'f' }, { files: [Buffer.from('one'), Buffer.from('two')] }));
  expect(files.includes(field(1, 'one')) && files.includes(field(1, 'two'))).toBe(true);
});
