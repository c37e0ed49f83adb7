import { expect, test } from 'vitest';
import { SETTINGS } from '#src/settings.js';

test('every setting has a name, a default that parses and a sentence about it', () => {
  for (const [name, { default: value, doc, parse }] of Object.entries(SETTINGS)) {
    expect(name).toMatch(/^SLUICE_[A-Z_]+$/);
    expect(() => parse(value), name).not.toThrow();
    expect(doc, name).toMatch(/^[A-Z`0-9].*\.$/);
  }
});

test('no key is set twice', () => {
  const keys = Object.values(SETTINGS).map(({ key }) => key);
  expect(new Set(keys).size).toBe(keys.length);
});

test('every limit is finite', () => {
  for (const [name, { default: value, parse }] of Object.entries(SETTINGS))
    if (/MAX|LIMIT|TIME|TTL|PER_PRINCIPAL|BYTES/.test(name) && value !== 'auto') expect(Number.isFinite(parse(value)), name).toBe(true);
});

test.each([
  ['SLUICE_MEMORY_LIMIT', '12 parsecs'],
  ['SLUICE_MEMORY_LIMIT', '1'],
  ['SLUICE_MEMORY_LIMIT', '-1GB'],
  ['SLUICE_TICKET_TTL', '0s'],
  ['SLUICE_TICKET_TTL', '10'],
  ['SLUICE_MAX_STREAMS', '0'],
  ['SLUICE_MAX_STREAMS', '1e3'],
  ['SLUICE_QUEUE_TIME', 'for ever'],
  ['SLUICE_RSS_LIMIT', '0'],
  ['SLUICE_HTTP_LISTEN', '9100'],
  ['SLUICE_FLIGHT_LISTEN', '127.0.0.1:70000'],
  ['SLUICE_CLUSTER_KEY', 'c2hvcnQ='],
  ['SLUICE_POLICIES', ' '],
])('%s refuses %s', (name, value) => {
  expect(() => SETTINGS[name]?.parse(value)).toThrow(/^must /);
});
