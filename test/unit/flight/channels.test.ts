import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type ChannelSecurity, channelCredentials, createChannels } from '#src/flight/channels.js';
import { type KeyAndCertificate, makeCertificates, type TestCertificates } from '../../support/tls.ts';

let directory: string;
let certificates: TestCertificates;
let planner: KeyAndCertificate;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'channels-'));
  certificates = await makeCertificates(directory);
  planner = await certificates.client('planner');
});
afterAll(() => rm(directory, { recursive: true, force: true }));

const plain: ChannelSecurity = { authority: null, identity: null, plaintext: true };

test('a bearer goes to no plaintext location unless that is allowed', () => {
  expect(() => channelCredentials({ ...plain, plaintext: false })('grpc')).toThrow('without TLS');
  expect(channelCredentials(plain)('grpc')._isSecure()).toBe(false);
  expect(channelCredentials({ ...plain, plaintext: false })('grpc+tls')._isSecure()).toBe(true);
});

test('a key that is not of the certificate is found at the start', () => {
  const other = certificates.authority.issue({ commonName: 'other', usage: 'client' });
  const identity = (key: string): ChannelSecurity['identity'] => ({ certificate: Buffer.from(planner.certificate), key: Buffer.from(key) });
  expect(() => channelCredentials({ ...plain, identity: identity(planner.key) })).not.toThrow();
  for (const key of [other.key, 'nonsense'])
    expect(() => channelCredentials({ ...plain, identity: identity(key) })).toThrow(expect.objectContaining({ code: 'config.invalid' }));
});

test('one channel per location, as long as there is room', () => {
  const channels = createChannels(channelCredentials(plain));
  const first = channels.to('grpc://127.0.0.1:1');
  expect(channels.to('grpc://127.0.0.1:1')).toBe(first);
  expect(channels.to('grpc://127.0.0.1:2')).not.toBe(first);
  for (let port = 3; port < 2000; port++) channels.to(`grpc://127.0.0.1:${port}`);
  expect(channels.to('grpc://127.0.0.1:1')).not.toBe(first);
  channels.close();
});
