import fc from 'fast-check';
import { expect, test } from 'vitest';
import { hashToken, looksLikeToken, makeToken } from '#src/auth/token-format.js';
import { SEED } from '../../support/seed.ts';

test('a fresh token has the form and is never the same', () => {
  const tokens = Array.from({ length: 100 }, makeToken);
  for (const token of tokens) {
    expect(token).toMatch(/^slc_[A-Za-z0-9_-]{49}$/);
    expect(looksLikeToken(token)).toBe(true);
  }
  expect(new Set(tokens).size).toBe(100);
});

test('any change of one character shows in the checksum', () => {
  const token = makeToken();
  fc.assert(
    fc.property(fc.nat(token.length - 1), fc.constantFrom(...'ABCxyz019_-'), (at, character) => {
      const changed = token.slice(0, at) + character + token.slice(at + 1);
      return changed === token || !looksLikeToken(changed);
    }),
    { seed: SEED },
  );
});

test('nothing else looks like a token', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.base64String(),
        fc.string().map((text) => `slc_${text}`),
      ),
      (text) => !looksLikeToken(text),
    ),
    { seed: SEED },
  );
  for (const text of ['', 'slc_', `${makeToken()}=`, makeToken().replace('slc_', 'SLC_')]) expect(looksLikeToken(text)).toBe(false);
});

test('the hash is SHA-256', () => {
  expect(hashToken('abc')).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
});
