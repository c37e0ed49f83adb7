/**
 * Certificates made at test time with node:crypto alone: an authority, and server and client certificates that it signs (P-256).
 * X.509 is written down here in DER, so that no test needs the openssl program.
 */
import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

export interface KeyAndCertificate {
  /** PEM. */
  readonly certificate: string;
  readonly key: string;
}

export interface Authority extends KeyAndCertificate {
  issue(request: CertificateRequest): KeyAndCertificate;
}

export interface CertificateRequest {
  readonly commonName: string;
  readonly usage: 'server' | 'client';
  /** Subject alternative names. */
  readonly dns?: readonly string[];
  readonly addresses?: readonly string[];
  readonly uris?: readonly string[];
  /** Default: from an hour ago to a day ahead. */
  readonly validFrom?: Date;
  readonly validTo?: Date;
}

/** PEM files of one authority, a server certificate for localhost and 127.0.0.1, and client certificates by common name. */
export interface TestCertificates {
  readonly authority: Authority;
  readonly authorityFile: string;
  readonly serverCertificateFile: string;
  readonly serverKeyFile: string;
  /** Writes another server certificate over the first. */
  replaceServer(request?: Partial<CertificateRequest>): Promise<KeyAndCertificate>;
  /** Writes `<name>.pem` and `<name>.key` beside the others. */
  client(
    name: string,
    request?: Partial<CertificateRequest>,
  ): Promise<KeyAndCertificate & { readonly certificateFile: string; readonly keyFile: string }>;
}

export async function makeCertificates(directory: string): Promise<TestCertificates> {
  await mkdir(directory, { recursive: true });
  const file = (name: string): string => join(directory, name);
  const authority = makeAuthority('Sluice test authority');
  await writeFile(file('ca.pem'), authority.certificate);
  const replaceServer = async (request: Partial<CertificateRequest> = {}): Promise<KeyAndCertificate> => {
    const names = { commonName: 'localhost', dns: ['localhost'], addresses: ['127.0.0.1'] };
    const made = authority.issue({ ...names, usage: 'server', ...request });
    await writeFile(file('server.pem'), made.certificate);
    await writeFile(file('server.key'), made.key, { mode: 0o600 });
    return made;
  };
  await replaceServer();
  return {
    authority,
    authorityFile: file('ca.pem'),
    serverCertificateFile: file('server.pem'),
    serverKeyFile: file('server.key'),
    replaceServer,
    client: async (name, request = {}) => {
      const made = authority.issue({ commonName: name, usage: 'client', ...request });
      await writeFile(file(`${name}.pem`), made.certificate);
      await writeFile(file(`${name}.key`), made.key, { mode: 0o600 });
      return { ...made, certificateFile: file(`${name}.pem`), keyFile: file(`${name}.key`) };
    },
  };
}

export function makeAuthority(commonName: string): Authority {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const issuer = { commonName, publicKey, privateKey };
  const extensions = [
    extension('2.5.29.19', sequence(Buffer.of(0x01, 0x01, 0xff)), true),
    extension('2.5.29.15', node(0x03, Buffer.of(0x01, 0x06)), true),
  ];
  const certificate = signCertificate(issuer, { commonName, publicKey, extensions, ...validity({}) });
  return {
    certificate,
    key: pemKey(privateKey),
    issue: (request) => {
      const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
      const body = { commonName: request.commonName, publicKey: pair.publicKey, extensions: leafExtensions(request), ...validity(request) };
      return { certificate: signCertificate(issuer, body), key: pemKey(pair.privateKey) };
    },
  };
}

interface Body {
  readonly commonName: string;
  readonly publicKey: KeyObject;
  readonly extensions: readonly Buffer[];
  readonly validFrom: Date;
  readonly validTo: Date;
}

const ECDSA_SHA256 = sequence(oid('1.2.840.10045.4.3.2'));
const HOUR_MS = 3_600_000;

function signCertificate(issuer: { commonName: string; publicKey: KeyObject; privateKey: KeyObject }, body: Body): string {
  const identifiers = [
    extension('2.5.29.14', node(0x04, keyId(body.publicKey))),
    extension('2.5.29.35', sequence(node(0x80, keyId(issuer.publicKey)))),
  ];
  const toSign = sequence(
    node(0xa0, integer(Buffer.of(2))),
    integer(Buffer.concat([Buffer.of(1), randomBytes(15)])),
    ECDSA_SHA256,
    distinguishedName(issuer.commonName),
    sequence(time(body.validFrom), time(body.validTo)),
    distinguishedName(body.commonName),
    body.publicKey.export({ type: 'spki', format: 'der' }),
    node(0xa3, sequence(...body.extensions, ...identifiers)),
  );
  const signature = sign('sha256', toSign, issuer.privateKey);
  return pem('CERTIFICATE', sequence(toSign, ECDSA_SHA256, node(0x03, Buffer.concat([Buffer.of(0), signature]))));
}

function leafExtensions({ usage, dns = [], addresses = [], uris = [] }: CertificateRequest): readonly Buffer[] {
  const purpose = extension('2.5.29.37', sequence(oid(usage === 'server' ? '1.3.6.1.5.5.7.3.1' : '1.3.6.1.5.5.7.3.2')));
  const names = [
    ...dns.map((name) => node(0x82, Buffer.from(name))),
    ...addresses.map((address) => node(0x87, Buffer.from(address.split('.').map(Number)))),
    ...uris.map((uri) => node(0x86, Buffer.from(uri))),
  ];
  return [
    purpose,
    extension('2.5.29.15', node(0x03, Buffer.of(0x07, 0x80)), true),
    ...(names.length === 0 ? [] : [extension('2.5.29.17', sequence(...names))]),
  ];
}

function validity({ validFrom, validTo }: Partial<Pick<CertificateRequest, 'validFrom' | 'validTo'>>): { validFrom: Date; validTo: Date } {
  return { validFrom: validFrom ?? new Date(Date.now() - HOUR_MS), validTo: validTo ?? new Date(Date.now() + 24 * HOUR_MS) };
}

function extension(id: string, value: Buffer, critical = false): Buffer {
  return sequence(oid(id), ...(critical ? [Buffer.of(0x01, 0x01, 0xff)] : []), node(0x04, value));
}

function distinguishedName(commonName: string): Buffer {
  return sequence(node(0x31, sequence(oid('2.5.4.3'), node(0x0c, Buffer.from(commonName)))));
}

function keyId(key: KeyObject): Buffer {
  return createHash('sha1')
    .update(key.export({ type: 'spki', format: 'der' }))
    .digest();
}

function time(date: Date): Buffer {
  // UTCTime: two digits of the year, as RFC 5280 asks before 2050.
  const text = date.toISOString().replace(/[-:T]/g, '').slice(2, 14);
  return node(0x17, Buffer.from(`${text}Z`));
}

function integer(bytes: Buffer): Buffer {
  return node(0x02, bytes);
}

function oid(text: string): Buffer {
  const [first = 0, second = 0, ...rest] = text.split('.').map(Number);
  return node(0x06, Buffer.from([first * 40 + second, ...rest.flatMap(base128)]));
}

function base128(value: number): readonly number[] {
  const digits = [value % 128];
  for (let left = Math.floor(value / 128); left > 0; left = Math.floor(left / 128)) digits.unshift((left % 128) + 128);
  return digits;
}

function sequence(...parts: readonly Buffer[]): Buffer {
  return node(0x30, Buffer.concat(parts));
}

function node(tag: number, content: Buffer): Buffer {
  const { length } = content;
  if (length < 128) return Buffer.concat([Buffer.of(tag, length), content]);
  const size = Buffer.from(length.toString(16).padStart(length < 256 ? 2 : 4, '0'), 'hex');
  return Buffer.concat([Buffer.of(tag, 0x80 + size.length), size, content]);
}

function pem(label: string, der: Buffer): string {
  return `-----BEGIN ${label}-----\n${der.toString('base64').replace(/.{64}/g, '$&\n').trimEnd()}\n-----END ${label}-----\n`;
}

function pemKey(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' }).toString();
}
