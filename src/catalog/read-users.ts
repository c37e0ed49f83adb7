/** users.yaml: people with a scrypt hash or a client certificate, groups and attributes. */
import type { User } from '../model.ts';
import { wordFault } from './identifiers.ts';
import type { Problems } from './problems.ts';
import { readYaml, type YamlNode } from './yaml-node.ts';

export const USERS_FILE = 'users.yaml';

const CERTIFICATE_CHARACTERS_MAX = 500;
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

export function readUsers(text: string, problems: Problems): readonly User[] {
  const root = readYaml(USERS_FILE, text, problems);
  const users = root?.fields(['users'], ['users']).get('users');
  const certificates = new Set<string>();
  return (users?.entries() ?? []).flatMap(([name, node]) => readUser(name, node, certificates) ?? []);
}

function readUser(name: string, node: YamlNode, certificates: Set<string>): User | undefined {
  const fault = wordFault(name);
  if (fault !== null) node.problem(fault);
  const fields = node.fields(['passwordHash', 'certificate', 'groups', 'attributes'], ['passwordHash']);
  const passwordHash = readPasswordHash(fields.get('passwordHash'));
  const certificate = readCertificate(fields.get('certificate'), certificates);
  const groups = fields.get('groups')?.texts() ?? [];
  for (const group of groups) if (wordFault(group) !== null) fields.get('groups')?.problem(wordFault(group) ?? '');
  const attributes = Object.fromEntries((fields.get('attributes')?.entries() ?? []).map(([key, value]) => [key, readValues(key, value)]));
  if (passwordHash === undefined) return undefined;
  return { name, passwordHash, ...(certificate === undefined ? {} : { certificate }), groups: [...new Set(groups)], attributes };
}

/** `none` has to be written: a password must not get lost by a slip. */
function readPasswordHash(node: YamlNode | undefined): string | undefined {
  const text = node?.text();
  if (text === 'none') return '';
  if (text !== undefined && !isScryptHash(text)) node?.problem('write scrypt$N$r$p$salt$hash, salt and hash in base64, or none');
  return text;
}

/** Two users of one certificate could not be told apart. */
function readCertificate(node: YamlNode | undefined, seen: Set<string>): string | undefined {
  const text = node?.text();
  if (text === undefined) return undefined;
  if (text.trim() === '' || text.length > CERTIFICATE_CHARACTERS_MAX) node?.problem('write a URI or the common name of the certificate');
  if (seen.has(text)) node?.problem('another user has this certificate');
  seen.add(text);
  return text;
}

/** One value or a list of them; numbers stay as they are written. */
function readValues(name: string, node: YamlNode): readonly string[] {
  if (!/^[A-Za-z_]\w*$/.test(name)) node.problem(`${name} is no attribute name; use letters, digits and _`);
  const values = (node.isList ? node.items() : [node]).flatMap((item) => item.written() ?? []);
  return [...new Set(values)];
}

/** N is a power of two; the bounds keep one login from taking all memory. */
function isScryptHash(text: string): boolean {
  const [scheme, cost, blockSize, parallel, salt, hash, ...rest] = text.split('$');
  if (scheme !== 'scrypt' || rest.length > 0 || !salt || !hash) return false;
  const [n, r, p] = [Number(cost), Number(blockSize), Number(parallel)];
  if (!Number.isInteger(Math.log2(n)) || n < 1024 || n > 2 ** 20) return false;
  if (!(Number.isInteger(r) && r >= 1 && r <= 32 && Number.isInteger(p) && p >= 1 && p <= 16)) return false;
  return BASE64.test(salt) && BASE64.test(hash) && Buffer.from(hash, 'base64').length >= 32;
}
