import { describe, expect, test } from 'vitest';
import { createSealer } from '#src/wire/index.js';

const oldKey = { id: 'k1', key: new Uint8Array(32).fill(1) };
const newKey = { id: 'k2', key: new Uint8Array(32).fill(2) };
const plain = Buffer.from('SELECT secret FROM policy');
const refused = expect.objectContaining({ code: 'ticket.invalid', message: 'the ticket or handle was not made by this cluster' });

describe('a sealed message', () => {
  const sealer = createSealer([newKey, oldKey]);
  const sealed = sealer.seal('ticket', plain);

  test('opens again and shows nothing of its content', () => {
    expect(Buffer.from(sealer.open('ticket', sealed))).toEqual(plain);
    expect(Buffer.from(sealed).includes('secret')).toBe(false);
  });

  test('differs each time', () => {
    expect(sealer.seal('ticket', plain)).not.toEqual(sealed);
  });

  test('is refused alike when any byte is altered', () => {
    for (let at = 0; at < sealed.length; at++) {
      const altered = Uint8Array.from(sealed);
      altered[at] = (altered[at] ?? 0) ^ 1;
      expect(() => sealer.open('ticket', altered), `byte ${at}`).toThrow(refused);
    }
  });

  test('is refused alike when cut anywhere or extended', () => {
    for (let length = 0; length < sealed.length; length++) {
      expect(() => sealer.open('ticket', sealed.subarray(0, length)), `length ${length}`).toThrow(refused);
    }
    expect(() => sealer.open('ticket', Buffer.concat([sealed, Buffer.of(0)]))).toThrow(refused);
  });

  test('is refused for another purpose', () => {
    expect(() => sealer.open('session', sealed)).toThrow(refused);
    expect(() => sealer.open('prepared', sealed)).toThrow(refused);
  });

  test('of an older key still opens, and of an unknown key does not', () => {
    expect(Buffer.from(sealer.open('ticket', createSealer([oldKey]).seal('ticket', plain)))).toEqual(plain);
    expect(() => createSealer([oldKey]).open('ticket', sealed)).toThrow(refused);
    expect(() => createSealer([{ ...newKey, key: oldKey.key }]).open('ticket', sealed)).toThrow(refused);
  });

  test('may be empty', () => {
    expect(sealer.open('session', sealer.seal('session', new Uint8Array(0)))).toHaveLength(0);
  });
});

test('unusable keys are refused at once', () => {
  expect(() => createSealer([])).toThrow(TypeError);
  expect(() => createSealer([{ id: 'k', key: new Uint8Array(16) }])).toThrow(TypeError);
  expect(() => createSealer([{ id: '', key: new Uint8Array(32) }])).toThrow(TypeError);
});
