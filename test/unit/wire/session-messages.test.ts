import { expect, test } from 'vitest';
import {
  checkGetOptions,
  decodeSessionState,
  decodeSetOptions,
  encodeGetOptionsResult,
  encodeSessionClosed,
  encodeSessionState,
  encodeSetOptionsResult,
  type OptionValue,
} from '#src/wire/index.js';
import { decode, encode } from '../../support/flight-messages.ts';

test('options of every kind, and those to erase', () => {
  const session_options = {
    text: { string_value: 'x' },
    none: { string_value: '' },
    flag: { bool_value: false },
    whole: { int64_value: 42 },
    real: { double_value: 1.5 },
    list: { string_list_value: { values: ['a', 'b'] } },
    erase: {},
  };
  expect(Object.fromEntries(decodeSetOptions(encode('SetSessionOptionsRequest', { session_options })))).toEqual({
    text: 'x',
    none: '',
    flag: false,
    whole: 42n,
    real: 1.5,
    list: ['a', 'b'],
    erase: null,
  });
  expect([...decodeSetOptions(Buffer.alloc(0))]).toEqual([]);
});

test('garbage is malformed', () => {
  const malformed = expect.objectContaining({ code: 'request.malformed' });
  expect(() => decodeSetOptions(Buffer.of(0x0a, 9))).toThrow(malformed);
  expect(() => checkGetOptions(Buffer.of(0x0a, 9))).toThrow(malformed);
  expect(() => checkGetOptions(Buffer.alloc(0))).not.toThrow();
});

test('answers', () => {
  const faults = new Map([
    ['a', 'invalidName'],
    ['b', 'invalidValue'],
    ['__proto__', 'invalidName'],
  ] as const);
  expect(decode('SetSessionOptionsResult', encodeSetOptionsResult(faults))).toMatchObject({
    errors: { a: { value: 1 }, b: { value: 2 } },
  });
  expect(decode('GetSessionOptionsResult', encodeGetOptionsResult(new Map([['catalog', 'c']])))).toEqual({
    session_options: { catalog: { string_value: 'c' } },
  });
  const values = new Map<string, OptionValue>([
    ['flag', false],
    ['whole', 42n],
    ['real', 456],
    ['list', ['a', ' ']],
    ['erased', null],
  ]);
  expect(decode('GetSessionOptionsResult', encodeGetOptionsResult(values))).toEqual({
    session_options: {
      flag: { bool_value: false },
      whole: { int64_value: '42' },
      real: { double_value: 456 },
      list: { string_list_value: { values: ['a', ' '] } },
      erased: {},
    },
  });
  expect([...encodeSessionClosed()]).toEqual([8, 1]);
});

test('the state of a session comes back whole', () => {
  const state = { subject: 'ada', expiresAtMs: 1_795_363_271_855, options: { schema: 'demo', strings: 'view' } };
  expect(decodeSessionState(encodeSessionState(state))).toEqual(state);
  expect(decodeSessionState(encodeSessionState({ ...state, options: {} }))).toEqual({ ...state, options: {} });
  expect(() => decodeSessionState(Buffer.of(0xff))).toThrow(expect.objectContaining({ code: 'ticket.invalid' }));
});
