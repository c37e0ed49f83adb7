import { expect, test } from 'vitest';
import { foldName } from '#src/names.js';

test('only ASCII letters lose their case: the Kelvin sign is no k, a dotted capital I no i', () => {
  expect(foldName('Tickets_2024')).toBe('tickets_2024');
  expect(foldName('tic\u212Aets')).toBe('tic\u212Aets');
  expect(foldName('\u0130D ÄÖÜ')).toBe('\u0130d ÄÖÜ');
});
