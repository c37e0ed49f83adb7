import { expect, test } from 'vitest';
import { readConfig } from '#src/config.js';
import { FLEET_SETTINGS } from '#src/fleet-settings.js';

const parse = (name: string, text: string): unknown => FLEET_SETTINGS[name]?.parse(text);

test.each(['local', 'adhoc-1', '7', 'a'.repeat(63)])('%s names a cluster', (name) => {
  expect(parse('SLUICE_CLUSTER', name)).toBe(name);
});

test.each(['', ' ', 'Adhoc', 'adhoc-*', '*', 'a b', '-a', 'a-', 'a'.repeat(64), 'ü', 'a\n', 'a,b', '../x'])('%j names none', (name) => {
  expect(() => parse('SLUICE_CLUSTER', name)).toThrow(/^must be a name of up to 63/);
});

test.each([
  ['SLUICE_HEARTBEAT', '10ms', /duration/],
  ['SLUICE_HEARTBEAT', '2m', /at most 1m/],
  ['SLUICE_HEARTBEAT_MAX', '2h', /at most 60m/],
  ['SLUICE_HEALTH_INTERVAL', '0s', /duration/],
])('%s refuses %s', (name, text, message) => {
  expect(() => parse(name, text)).toThrow(message);
});

test('a heartbeat that is late or lost does not make a worker look dead', () => {
  expect(() => readConfig([], { SLUICE_HEARTBEAT: '4s' })).toThrow('SLUICE_HEARTBEAT_MAX must be at least three times SLUICE_HEARTBEAT');
  expect(readConfig([], { SLUICE_HEARTBEAT: '4s', SLUICE_HEARTBEAT_MAX: '12s' })).toMatchObject({ heartbeatMs: 4000, aliveMs: 12_000 });
});

test('half of a client certificate is refused', () => {
  for (const name of ['SLUICE_TLS_CLIENT_CERT', 'SLUICE_TLS_CLIENT_KEY'])
    expect(() => readConfig([], { [name]: 'x.pem' })).toThrow('SLUICE_TLS_CLIENT_CERT and SLUICE_TLS_CLIENT_KEY go together');
});
