/** Reads the `authorization` header. */
import { looksLikeToken } from './token-format.ts';

export type Credentials =
  | { readonly kind: 'password'; readonly user: string; readonly password: string }
  /** A personal access token; `user` when it came as a password. */
  | { readonly kind: 'token'; readonly user: string | null; readonly token: string }
  | { readonly kind: 'jwt'; readonly jwt: string }
  | { readonly kind: 'session'; readonly token: Uint8Array };

const BASE64 = /^[A-Za-z0-9+/_-]+={0,2}$/;
const JWT = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*$/;

/** Padded and unpadded base64 both pass; null when the header is none of ours. */
export function parseAuthorization(header: string): Credentials | null {
  const [scheme = '', value = '', ...rest] = header.trim().split(/ +/);
  if (rest.length > 0) return null;
  switch (scheme.toLowerCase()) {
    case 'bearer':
      return parseBearer(value);
    case 'basic':
      return BASE64.test(value) ? parseBasic(Buffer.from(value, 'base64').toString('utf8')) : null;
    default:
      return null;
  }
}

function parseBearer(value: string): Credentials | null {
  if (looksLikeToken(value)) return { kind: 'token', user: null, token: value };
  if (JWT.test(value)) return { kind: 'jwt', jwt: value };
  return BASE64.test(value) ? { kind: 'session', token: Buffer.from(value, 'base64') } : null;
}

function parseBasic(text: string): Credentials | null {
  const colon = text.indexOf(':');
  if (colon < 1) return null;
  const [user, password] = [text.slice(0, colon), text.slice(colon + 1)];
  return looksLikeToken(password) ? { kind: 'token', user, token: password } : { kind: 'password', user, password };
}
