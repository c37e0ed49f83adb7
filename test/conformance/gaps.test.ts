/** gaps.json may only shrink: whoever closes a gap takes it from the list and lowers the number here. */
import { expect, test } from 'vitest';
import { CLIENTS, FEATURES, GAPS } from '../support/protocol.ts';

const GAPS_MAX = 6;

test('no more gaps than before, each once, with a client and a feature that there are', () => {
  expect(GAPS.length).toBeLessThanOrEqual(GAPS_MAX);
  expect(new Set(GAPS.map(({ client, feature, gap }) => `${client} ${feature} ${gap}`)).size).toBe(GAPS.length);
  for (const { client, feature, of } of GAPS) {
    expect(Object.keys(CLIENTS)).toContain(client);
    expect(FEATURES).toContain(feature);
    expect(['server', 'client']).toContain(of);
  }
});
