import { expect, test } from 'vitest';
import { codec } from '#src/wire/protos.js';

const ticket = codec('sluice.Ticket');

test('absent fields read as defaults, and fields of another type as absent', () => {
  const fields = ticket.decode(new Uint8Array(0));
  expect([fields.string('cluster'), fields.optionalString('cluster'), fields.number('epoch'), fields.boolean('cluster')]).toEqual([
    '',
    undefined,
    0,
    false,
  ]);
  expect([fields.bytes('cluster'), fields.strings('datasets'), fields.numbers('datasets'), fields.messages('datasets')]).toEqual([
    new Uint8Array(0),
    [],
    [],
    [],
  ]);
  expect(fields.message('query')).toBeUndefined();
});

test('nested messages and 64-bit numbers read as plain values', () => {
  const bytes = ticket.encode({ epoch: 2 ** 41, query: { statements: ['SELECT 1'], catalog: { statements: ['a'] } } });
  const fields = ticket.decode(bytes);
  expect(fields.number('epoch')).toBe(2 ** 41);
  expect(fields.message('query')?.strings('statements')).toEqual(['SELECT 1']);
  expect(fields.message('query')?.message('catalog')?.strings('statements')).toEqual(['a']);
});

test('garbage fails with the given code and without its bytes', () => {
  const fault = { code: 'ticket.invalid', message: 'not a valid Ticket message' };
  expect(() => ticket.decode(Buffer.from('secret garbage'), 'ticket.invalid')).toThrow(expect.objectContaining(fault));
});
