import { existsSync } from 'node:fs';
import { hostname } from 'node:os';
import { afterEach, expect, test } from 'vitest';
import { type Joined, joinCluster } from '#src/join.js';

const URL = 'postgres://sluice@db.example/meta';
const SAFE = { SLUICE_CLUSTER_KEY: Buffer.alloc(32, 1).toString('base64') };
const OPEN = { ...SAFE, SLUICE_PLAINTEXT_NETWORK: 'allow' };

const open: Joined[] = [];
afterEach(async () => {
  for (const joined of open.splice(0)) await joined[Symbol.asyncDispose]();
});

async function join(args: readonly string[], environment: Readonly<Record<string, string>> = SAFE): Promise<Joined> {
  const joined = await joinCluster('worker', args, environment);
  open.push(joined);
  return joined;
}

test('needs the address of the metadata and the key, and chooses the rest', async () => {
  const joined = await join(['--join', URL, '--ttl', '2h']);
  const { config, ttlMs } = joined;
  expect(ttlMs).toBe(7_200_000);
  expect(config).toMatchObject({ role: 'worker', metadataUrl: URL, flightHost: '127.0.0.1', flightPort: 0, advertise: null });
  expect(existsSync(config.stateDirectory)).toBe(true);
  expect(config.policyDirectory).toBe(config.stateDirectory);
  await joined[Symbol.asyncDispose]();
  expect(existsSync(config.stateDirectory)).toBe(false);
});

test('where plaintext or TLS allows it, it listens to all and says its host name', async () => {
  expect((await join(['--join', URL], OPEN)).config).toMatchObject({ flightHost: '0.0.0.0', advertise: `grpc://${hostname()}:0` });
  const tls = ['--tls-cert=c.pem', '--tls-key=k.pem'];
  expect((await join(['--join', URL, ...tls])).config).toMatchObject({ flightHost: '0.0.0.0', advertise: `grpc+tls://${hostname()}:0` });
});

test.each([
  [['--join', URL, '--flight-listen', '10.0.0.7:9000'], OPEN, { flightHost: '10.0.0.7', flightPort: 9000, advertise: null }],
  [['--join', URL], { ...OPEN, SLUICE_FLIGHT_LISTEN: '0.0.0.0:9000' }, { advertise: `grpc://${hostname()}:9000` }],
  [['--join', URL, '--advertise', 'grpc://job-7.example:0'], OPEN, { flightHost: '0.0.0.0', advertise: 'grpc://job-7.example:0' }],
  [[], { ...SAFE, SLUICE_METADATA: URL, SLUICE_CLUSTER: 'adhoc-1' }, { metadataUrl: URL, cluster: 'adhoc-1' }],
  [['--join', URL, '--policies', '/srv/policies'], SAFE, { policyDirectory: '/srv/policies' }],
])('what is said wins: %j', async (args, environment, expected) => {
  expect((await join(args, environment)).config).toMatchObject(expected);
});

test.each([
  [['--join'], SAFE, '--join needs a value'],
  [['--join', URL, '--ttl', 'soon'], SAFE, '--ttl must be a duration'],
  [['--join', URL, '--ttl', '30d'], SAFE, '--ttl must be at most'],
  [['--join', 'http://db.example'], SAFE, 'SLUICE_METADATA must be files or postgres://'],
  [[], SAFE, 'SLUICE_ROLE=worker needs SLUICE_METADATA'],
  [['--join', URL], {}, 'needs SLUICE_CLUSTER_KEY'],
  [['--join', URL, '--tll', '2h'], SAFE, '--tll is not a setting'],
])('%j is refused', async (args, environment, message) => {
  await expect(joinCluster('worker', args, environment)).rejects.toMatchObject({
    code: 'config.invalid',
    message: expect.stringContaining(message),
  });
});

test('no error repeats the address, which holds a password', async () => {
  await expect(joinCluster('worker', ['--join', 'postgres://sluice:secret @db'], SAFE)).rejects.not.toThrow('secret');
});
