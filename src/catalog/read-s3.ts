/** A connection to an S3-compatible store: where it is, and where its credentials come from. Secrets stand here sealed only. */
import type { S3Connection, S3CredentialSource } from '../files.ts';
import { isLoopback } from '../loopback.ts';
import { expandPath, type PathBase } from './paths.ts';
import type { YamlNode } from './yaml-node.ts';

/** undefined after a problem. */
export function readS3Connection(name: string, node: YamlNode, base: PathBase): S3Connection | undefined {
  const fields = node.fields(['kind', 'url', 'region', 'endpoint', 'pathStyle', 'credentials'], ['url']);
  const url = fields.get('url');
  const place = url === undefined ? undefined : readPlace(url);
  const region = readOptional(fields.get('region'), readWord);
  const endpoint = readOptional(fields.get('endpoint'), (found) => readEndpoint(found, base.plaintextNetwork === true));
  const pathStyle = fields.get('pathStyle')?.flag() ?? false;
  const given = fields.get('credentials');
  const credentials: S3CredentialSource | undefined = given === undefined ? { kind: 'default' } : readCredentials(given, base, 0);
  if (place === undefined || region === undefined || endpoint === undefined || credentials === undefined) return undefined;
  return { kind: 's3', name, ...place, region, endpoint, pathStyle, credentials };
}

/** null when it is not there, undefined after a problem. */
function readOptional(node: YamlNode | undefined, read: (node: YamlNode) => string | undefined): string | null | undefined {
  return node === undefined ? null : read(node);
}

/** Names of regions, keys and profiles: nothing that a URL, a header or a setting would read otherwise. */
function readWord(node: YamlNode): string | undefined {
  const text = node.text();
  return text === undefined || /^[\w+=,.@-]{1,128}$/.test(text) ? text : node.problem('this is no name: use letters, digits and +=,.@_-');
}

/** `s3://bucket/prefix/`; without its last slash a prefix would take in its neighbours. */
function readPlace(node: YamlNode): { readonly bucket: string; readonly prefix: string } | undefined {
  const text = node.text();
  if (text === undefined) return undefined;
  const [, bucket = '', slash = '', prefix = ''] = /^s3:\/\/([^/]*)(\/?)(.*)$/s.exec(text) ?? [];
  if (!/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(bucket)) return node.problem('url must be s3://bucket/prefix/, with the name of a bucket');
  if (prefix === '') return { bucket, prefix };
  if (slash === '' || !prefix.endsWith('/')) return node.problem('url must end with /, or else it would take in its neighbours too');
  if (/[\p{Cc}*?[\]{}\\#%$]/u.test(prefix)) return node.problem('url must be a plain prefix, without patterns and special characters');
  if (prefix.slice(0, -1).split('/').some(isOddSegment)) return node.problem('url must not hold empty parts, . or ..');
  return { bucket, prefix };
}

function isOddSegment(segment: string): boolean {
  return segment === '' || segment === '.' || segment === '..';
}

function readEndpoint(node: YamlNode, plaintextNetwork: boolean): string | undefined {
  const text = node.text();
  if (text === undefined) return undefined;
  const url = /^https?:\/\/[^/?#@\s]+\/?$/i.test(text) && URL.canParse(text) ? new URL(text) : null;
  if (url === null) return node.problem('endpoint must be http(s)://host[:port]');
  if (url.protocol === 'http:' && !isLoopback(url.hostname) && !plaintextNetwork)
    return node.problem('endpoint must be https:// beyond loopback; SLUICE_PLAINTEXT_NETWORK=allow overrides');
  return `${url.protocol}//${url.host}`;
}

/** Roles assumed out of roles. */
const DEPTH = 4;

function readCredentials(node: YamlNode, base: PathBase, depth: number): S3CredentialSource | undefined {
  if (!node.isMapping) return readCredentialWord(node);
  const fields = node.fields(['profile', 'accessKeyId', 'secretAccessKey', 'webIdentity', 'assumeRole']);
  const [profile, key, secret] = [fields.get('profile'), fields.get('accessKeyId'), fields.get('secretAccessKey')];
  const [webIdentity, assumeRole] = [fields.get('webIdentity'), fields.get('assumeRole')];
  const given = [profile, key ?? secret, webIdentity, assumeRole].filter((field) => field !== undefined);
  if (given.length !== 1) return node.problem('credentials need one of profile, accessKeyId with secretAccessKey, webIdentity, assumeRole');
  if (profile !== undefined) return withText(readWord(profile), (text) => ({ kind: 'profile', profile: text }));
  if (webIdentity !== undefined) return readWebIdentity(webIdentity, base);
  if (assumeRole !== undefined)
    return depth < DEPTH ? readAssumeRole(assumeRole, base, depth) : assumeRole.problem(`at most ${DEPTH} roles are assumed in a row`);
  return readStatic(node, key, secret);
}

function readCredentialWord(node: YamlNode): S3CredentialSource | undefined {
  const text = node.text();
  if (text === undefined || text === 'default' || text === 'anonymous') return text === undefined ? undefined : { kind: text };
  return node.problem('credentials must be default, anonymous, or a mapping');
}

function readStatic(node: YamlNode, key: YamlNode | undefined, secret: YamlNode | undefined): S3CredentialSource | undefined {
  if (key === undefined || secret === undefined) return node.problem('accessKeyId and secretAccessKey go together');
  const accessKeyId = readWord(key);
  const sealed = secret.text();
  if (accessKeyId === undefined || sealed === undefined) return undefined;
  if (!/^sealed:[A-Za-z0-9_-]+$/.test(sealed))
    return secret.problem('a secret must not stand here in plain text: write what `sluice secret seal` prints for it');
  return { kind: 'static', accessKeyId, sealedSecretAccessKey: sealed };
}

function readWebIdentity(node: YamlNode, base: PathBase): S3CredentialSource | undefined {
  const fields = node.fields(['roleArn', 'tokenFile'], ['roleArn', 'tokenFile']);
  const roleArn = readRole(fields.get('roleArn'));
  const file = fields.get('tokenFile');
  const text = file?.text();
  const tokenFile = file === undefined || text === undefined ? undefined : expandPath(text, base, file);
  return roleArn === undefined || tokenFile === undefined ? undefined : { kind: 'webIdentity', roleArn, tokenFile };
}

function readAssumeRole(node: YamlNode, base: PathBase, depth: number): S3CredentialSource | undefined {
  const fields = node.fields(['roleArn', 'externalId', 'from'], ['roleArn']);
  const roleArn = readRole(fields.get('roleArn'));
  const externalId = readOptional(fields.get('externalId'), (found) => found.text());
  const source = fields.get('from');
  const from: S3CredentialSource | undefined = source === undefined ? { kind: 'default' } : readCredentials(source, base, depth + 1);
  if (from?.kind === 'anonymous') return source?.problem('a role can not be assumed without credentials');
  return roleArn === undefined || externalId === undefined || from === undefined
    ? undefined
    : { kind: 'assumeRole', roleArn, externalId, from };
}

function readRole(node: YamlNode | undefined): string | undefined {
  const text = node?.text();
  return text === undefined || /^arn:[\w-]*:[\w:/+=,.@-]+$/.test(text) ? text : node?.problem('roleArn must be an ARN');
}

function withText(text: string | undefined, make: (text: string) => S3CredentialSource): S3CredentialSource | undefined {
  return text === undefined ? undefined : make(text);
}
