// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the directory format has such variables
import { expect, test } from 'vitest';
import { Problems } from '#src/catalog/problems.js';
import { readS3Connection } from '#src/catalog/read-s3.js';
import { readYaml } from '#src/catalog/yaml-node.js';
import type { S3Connection } from '#src/files.js';

function read(text: string, plaintextNetwork = false): { connection: S3Connection | undefined; problems: readonly string[] } {
  const problems = new Problems();
  const node = readYaml('catalog.yaml', text, problems) ?? expect.fail(problems.list.join('\n'));
  const base = { directory: '/policies', variables: new Map([['data', '/srv']]), plaintextNetwork };
  return { connection: readS3Connection('lake', node, base), problems: problems.list };
}

const AWS = { kind: 's3', name: 'lake', bucket: 'bucket', prefix: '', region: null, endpoint: null, pathStyle: false } as const;

test('what is left out is what the AWS SDK finds', () => {
  for (const url of ['s3://bucket', 's3://bucket/'])
    expect(read(`{ kind: s3, url: "${url}" }`)).toEqual({ connection: { ...AWS, credentials: { kind: 'default' } }, problems: [] });
});

test('a store other than AWS', () => {
  const text = '{ kind: s3, url: "s3://bucket/a/b/", region: eu-central-1, endpoint: "http://127.0.0.1:9000/", pathStyle: true }';
  expect(read(text)).toEqual({
    connection: {
      ...AWS,
      prefix: 'a/b/',
      region: 'eu-central-1',
      endpoint: 'http://127.0.0.1:9000',
      pathStyle: true,
      credentials: { kind: 'default' },
    },
    problems: [],
  });
});

test.each([
  ['default', { kind: 'default' }],
  ['anonymous', { kind: 'anonymous' }],
  ['{ profile: work }', { kind: 'profile', profile: 'work' }],
  [
    '{ accessKeyId: AKIA1, secretAccessKey: "sealed:abc_-1" }',
    { kind: 'static', accessKeyId: 'AKIA1', sealedSecretAccessKey: 'sealed:abc_-1' },
  ],
  [
    '{ webIdentity: { roleArn: "arn:aws:iam::1:role/r", tokenFile: "${data}/token" } }',
    { kind: 'webIdentity', roleArn: 'arn:aws:iam::1:role/r', tokenFile: '/srv/token' },
  ],
  [
    '{ assumeRole: { roleArn: "arn:aws:iam::1:role/r" } }',
    { kind: 'assumeRole', roleArn: 'arn:aws:iam::1:role/r', externalId: null, from: { kind: 'default' } },
  ],
  [
    '{ assumeRole: { roleArn: "arn:aws:iam::1:role/r", externalId: x, from: { profile: p } } }',
    { kind: 'assumeRole', roleArn: 'arn:aws:iam::1:role/r', externalId: 'x', from: { kind: 'profile', profile: 'p' } },
  ],
])('credentials: %s', (credentials, expected) => {
  const { connection, problems } = read(`{ kind: s3, url: "s3://bucket/p/", credentials: ${credentials} }`);
  expect(problems).toEqual([]);
  expect(connection?.credentials).toEqual(expected);
});

test('an endpoint without TLS stays on this machine, unless plaintext is allowed', () => {
  const at = (endpoint: string, allowed = false): readonly string[] =>
    read(`{ kind: s3, url: "s3://bucket/", endpoint: "${endpoint}" }`, allowed).problems;
  for (const endpoint of ['http://localhost:9000', 'http://127.0.0.1:9000', 'http://[::1]:9000', 'https://s3.example:9000'])
    expect(at(endpoint)).toEqual([]);
  for (const endpoint of ['http://10.0.0.1:9000', 'http://127.0.0.1.example:9000', 'HTTP://minio']) {
    expect(at(endpoint)).toEqual([expect.stringContaining('SLUICE_PLAINTEXT_NETWORK=allow')]);
    expect(at(endpoint, true)).toEqual([]);
  }
});

test.each([
  ['{ kind: s3 }', 'needs url'],
  ['{ kind: s3, url: "s3://bucket/", extra: 1 }', 'unknown key extra'],
  ['{ kind: s3, url: "s3://bucket/p" }', 'must end with /'],
  ['{ kind: s3, url: "https://bucket/p/" }', 's3://bucket/prefix/'],
  ['{ kind: s3, url: "s3:///p/" }', 'name of a bucket'],
  ['{ kind: s3, url: "s3://BUCKET/p/" }', 'name of a bucket'],
  ['{ kind: s3, url: "s3://user:pw@bucket/p/" }', 'name of a bucket'],
  ['{ kind: s3, url: "s3://bucket/a*/" }', 'plain prefix'],
  ['{ kind: s3, url: "s3://bucket/a?s3_access_key=x/" }', 'plain prefix'],
  ['{ kind: s3, url: "s3://bucket/a/../b/" }', '. or ..'],
  ['{ kind: s3, url: "s3://bucket//" }', '. or ..'],
  ['{ kind: s3, url: 7 }', 'must be text'],
  ['{ kind: s3, url: "s3://bucket/", endpoint: "127.0.0.1:9000" }', 'http(s)://host[:port]'],
  ['{ kind: s3, url: "s3://bucket/", endpoint: "http://user:pw@127.0.0.1" }', 'http(s)://host[:port]'],
  ['{ kind: s3, url: "s3://bucket/", endpoint: "http://127.0.0.1/path" }', 'http(s)://host[:port]'],
  ['{ kind: s3, url: "s3://bucket/", endpoint: "http://127.0.0.1:99999" }', 'http(s)://host[:port]'],
  [`{ kind: s3, url: "s3://bucket/", region: "eu'; x" }`, 'no name'],
  ['{ kind: s3, url: "s3://bucket/", pathStyle: 1 }', 'true or false'],
  ['{ kind: s3, url: "s3://bucket/", credentials: nobody }', 'default, anonymous'],
  ['{ kind: s3, url: "s3://bucket/", credentials: {} }', 'need one of'],
  ['{ kind: s3, url: "s3://bucket/", credentials: { profile: a, accessKeyId: b } }', 'need one of'],
  ['{ kind: s3, url: "s3://bucket/", credentials: { accessKeyId: b } }', 'go together'],
  ['{ kind: s3, url: "s3://bucket/", credentials: { secretAccessKey: "sealed:b" } }', 'go together'],
  ['{ kind: s3, url: "s3://bucket/", credentials: { accessKeyId: b, secretAccessKey: hunter2 } }', '`sluice secret seal`'],
  ['{ kind: s3, url: "s3://bucket/", credentials: { accessKeyId: b, secretAccessKey: "sealed:" } }', '`sluice secret seal`'],
  ['{ kind: s3, url: "s3://bucket/", credentials: { webIdentity: { roleArn: "arn:aws:iam::1:role/r" } } }', 'needs tokenFile'],
  ['{ kind: s3, url: "s3://bucket/", credentials: { assumeRole: { roleArn: admin } } }', 'must be an ARN'],
  [
    '{ kind: s3, url: "s3://bucket/", credentials: { assumeRole: { roleArn: "arn:aws:iam::1:role/r", from: anonymous } } }',

    'without credentials',
  ],
])('%s is a problem', (text, expected) => {
  const { problems } = read(text);
  expect(problems.join('\n')).toContain(expected);
  expect(problems.join('\n')).toMatch(/^catalog\.yaml:1: /);
  expect(problems.join('\n')).not.toContain('hunter2');
});

test('roles are not assumed without end', () => {
  const nested = (depth: number): string =>
    depth === 0 ? 'default' : `{ assumeRole: { roleArn: "arn:aws:iam::1:role/r", from: ${nested(depth - 1)} } }`;
  expect(read(`{ kind: s3, url: "s3://bucket/", credentials: ${nested(4)} }`).problems).toEqual([]);
  expect(read(`{ kind: s3, url: "s3://bucket/", credentials: ${nested(5)} }`).problems).toEqual([
    expect.stringContaining('at most 4 roles'),
  ]);
});
