/** A small OpenID provider on loopback: discovery document, key set, and tokens signed with its own keys or in every wrong way. */
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type JWTPayload, SignJWT } from 'jose';

export interface Issuer extends AsyncDisposable {
  /** As the tokens' `iss` says. */
  readonly url: string;
  /** Requests so far, by path. */
  readonly requests: Map<string, number>;
  /** Makes a new signing key; the old one leaves the key set. */
  rotate(kid: string): void;
  /** What the provider answers instead of its documents; null = as usual. */
  fault: { status: number; body: string } | null;
  /** More keys for the key set, e.g. an `oct` one. */
  extraKeys: readonly Record<string, unknown>[];
  /** The public key in use, PEM. */
  publicKey(): string;
  /** A good token for audience `sluice`, `overrides` and header changes apart. */
  token(claims?: JWTPayload, header?: Record<string, unknown>, key?: KeyObject | Uint8Array): Promise<string>;
}

const AUDIENCE = 'sluice';

export async function startIssuer(): Promise<Issuer> {
  let current = makeKey('k1');
  const requests = new Map<string, number>();
  const server = createServer((request, response) => {
    const path = pathOf(request);
    requests.set(path, (requests.get(path) ?? 0) + 1);
    const { status, body } = issuer.fault ?? answer(path);
    response.writeHead(status, { 'content-type': 'application/json' }).end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const answer = (path: string): { status: number; body: string } => {
    if (path === '/.well-known/openid-configuration') return json({ issuer: url, jwks_uri: `${url}/keys` });
    if (path === '/keys') return json({ keys: [...issuer.extraKeys, current.jwk] });
    return { status: 404, body: '' };
  };
  const issuer: Issuer = {
    url,
    requests,
    rotate: (kid) => {
      current = makeKey(kid);
    },
    fault: null,
    extraKeys: [],
    publicKey: () => current.publicKey.export({ type: 'spki', format: 'pem' }).toString(),
    token: (claims = {}, header = {}, key = current.privateKey) => {
      const seconds = Math.floor(Date.now() / 1000);
      const payload = { iss: url, aud: AUDIENCE, sub: 'ann', iat: seconds, exp: seconds + 300, ...claims };
      return new SignJWT(payload).setProtectedHeader({ alg: 'ES256', kid: current.kid, ...header }).sign(key);
    },
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return issuer;
}

/** A token without a signature, or with any text for one. */
export function forgeToken(header: Record<string, unknown>, claims: Record<string, unknown>, signature = ''): string {
  const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  return `${encode(header)}.${encode(claims)}.${signature}`;
}

function makeKey(kid: string) {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return { kid, publicKey, privateKey, jwk: { ...publicKey.export({ format: 'jwk' }), kid, alg: 'ES256', use: 'sig' } };
}

function json(value: unknown): { status: number; body: string } {
  return { status: 200, body: JSON.stringify(value) };
}

function pathOf(request: IncomingMessage): string {
  return request.url ?? '';
}
