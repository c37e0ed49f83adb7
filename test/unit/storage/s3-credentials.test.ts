import { mkdtempSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { S3CredentialSource } from '#src/files.js';
import { credentialResolver } from '#src/storage/s3-credentials.js';

const directory = mkdtempSync(join(tmpdir(), 'sluice-credentials-'));
const PROFILES = join(directory, 'credentials');
const TOKEN = join(directory, 'token');
/** What the environment must hold for the AWS SDK; nothing of this machine's own counts. */
const ENVIRONMENT: Readonly<Record<string, string>> = {
  AWS_EC2_METADATA_DISABLED: 'true',
  AWS_SHARED_CREDENTIALS_FILE: PROFILES,
  AWS_CONFIG_FILE: join(directory, 'config'),
  AWS_REGION: 'us-east-1',
};
const NOT_SET = [
  'AWS_PROFILE',
  'AWS_ACCESS_KEY_ID',
  'AWS_SECRET_ACCESS_KEY',
  'AWS_SESSION_TOKEN',
  'AWS_WEB_IDENTITY_TOKEN_FILE',
  'AWS_ROLE_ARN',
];
const before = { ...process.env };
const asked: URLSearchParams[] = [];

/** A token service that gives what it was asked for as the key, for an hour. */
const tokens = createServer(async (request, response) => {
  const form = new URLSearchParams(await text(request));
  asked.push(form);
  const action = form.get('Action') ?? '';
  const expiration = new Date(Date.now() + 3_600_000).toISOString();
  response.writeHead(200, { 'content-type': 'text/xml' }).end(`<${action}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
    <${action}Result><Credentials><AccessKeyId>KEY-${action}</AccessKeyId><SecretAccessKey>secret</SecretAccessKey>
    <SessionToken>session</SessionToken><Expiration>${expiration}</Expiration></Credentials></${action}Result></${action}Response>`);
});

beforeAll(async () => {
  await new Promise<void>((resolve) => tokens.listen(0, '127.0.0.1', resolve));
  for (const name of NOT_SET) delete process.env[name];
  Object.assign(process.env, ENVIRONMENT, { AWS_ENDPOINT_URL_STS: `http://127.0.0.1:${(tokens.address() as AddressInfo).port}` });
});

afterAll(() => {
  for (const name of [...NOT_SET, ...Object.keys(ENVIRONMENT), 'AWS_ENDPOINT_URL_STS']) delete process.env[name];
  Object.assign(process.env, before);
  tokens.close();
});

function resolver(credentials: S3CredentialSource): ReturnType<typeof credentialResolver> {
  const connection = {
    kind: 's3',
    name: 'lake',
    bucket: 'lake',
    prefix: '',
    region: null,
    endpoint: 'http://127.0.0.1:9',
    pathStyle: true,
    credentials,
  } as const;
  return credentialResolver(connection, (sealed) => sealed.replace('sealed:', 'opened '));
}

function writeProfile(name: string, key: string): void {
  writeFileSync(PROFILES, `[${name}]\naws_access_key_id = ${key}\naws_secret_access_key = secret of ${key}\n`);
}

describe('credentials come from', () => {
  it('nowhere, for what everybody may read', async () => {
    expect(await resolver({ kind: 'anonymous' })()).toEqual({ accessKeyId: '', secretAccessKey: '', expiresAtMs: null });
  });

  it('the catalog, sealed', async () => {
    const resolve = resolver({ kind: 'static', accessKeyId: 'A', sealedSecretAccessKey: 'sealed:x' });
    expect(await resolve()).toEqual({ accessKeyId: 'A', secretAccessKey: 'opened x', expiresAtMs: null });
  });

  it('a profile, which is read again each time', async () => {
    const resolve = resolver({ kind: 'profile', profile: 'work' });
    writeProfile('work', 'ONE');
    expect(await resolve()).toEqual({ accessKeyId: 'ONE', secretAccessKey: 'secret of ONE', expiresAtMs: null });
    writeProfile('work', 'TWO');
    expect(await resolve()).toMatchObject({ accessKeyId: 'TWO' });
    writeProfile('other', 'THREE');
    await expect(resolve()).rejects.toMatchObject({ name: 'CredentialsProviderError' });
  });

  it("the AWS SDK's chain: the default profile, and before it the environment", async () => {
    const resolve = resolver({ kind: 'default' });
    writeProfile('default', 'FILE');
    expect(await resolve()).toMatchObject({ accessKeyId: 'FILE' });
    Object.assign(process.env, { AWS_ACCESS_KEY_ID: 'ENV', AWS_SECRET_ACCESS_KEY: 'e', AWS_SESSION_TOKEN: 't' });
    expect(await resolve()).toEqual({ accessKeyId: 'ENV', secretAccessKey: 'e', sessionToken: 't', expiresAtMs: null });
    for (const name of NOT_SET) delete process.env[name];
  });

  it('a web identity, whose token is read again each time', async () => {
    const resolve = resolver({ kind: 'webIdentity', roleArn: 'arn:aws:iam::1:role/r', tokenFile: TOKEN });
    await expect(resolve()).rejects.toThrow();
    for (const token of ['first token', 'second token']) {
      writeFileSync(TOKEN, token);
      const { expiresAtMs, ...found } = await resolve();
      expect(found).toEqual({ accessKeyId: 'KEY-AssumeRoleWithWebIdentity', secretAccessKey: 'secret', sessionToken: 'session' });
      expect(expiresAtMs).toBeGreaterThan(Date.now());
      expect(asked.at(-1)?.get('WebIdentityToken')).toBe(token);
      expect(asked.at(-1)?.get('RoleArn')).toBe('arn:aws:iam::1:role/r');
    }
  });

  it('a role that is assumed with others', async () => {
    const from = { kind: 'static', accessKeyId: 'A', sealedSecretAccessKey: 'sealed:x' } as const;
    const first = { kind: 'assumeRole', roleArn: 'arn:aws:iam::1:role/first', externalId: null, from } as const;
    const resolve = resolver({ kind: 'assumeRole', roleArn: 'arn:aws:iam::1:role/second', externalId: 'us', from: first });
    expect(await resolve()).toMatchObject({ accessKeyId: 'KEY-AssumeRole', sessionToken: 'session' });
    const [one, two] = asked.slice(-2);
    expect([one?.get('RoleArn'), one?.get('ExternalId')]).toEqual(['arn:aws:iam::1:role/first', null]);
    expect([two?.get('RoleArn'), two?.get('ExternalId')]).toEqual(['arn:aws:iam::1:role/second', 'us']);
  });
});
