/** Reads the `authorization` header. */
export type Credentials =
  | { readonly kind: 'basic'; readonly user: string; readonly password: string }
  | { readonly kind: 'bearer'; readonly token: Uint8Array };

const BASE64 = /^[A-Za-z0-9+/_-]+={0,2}$/;

/** Padded and unpadded base64 both pass; null when the header is none of ours. */
export function parseAuthorization(header: string): Credentials | null {
  const [scheme = '', value = '', ...rest] = header.trim().split(/ +/);
  if (rest.length > 0 || !BASE64.test(value)) return null;
  const bytes = Buffer.from(value, 'base64');
  if (scheme.toLowerCase() === 'bearer') return { kind: 'bearer', token: bytes };
  return scheme.toLowerCase() === 'basic' ? parseBasic(bytes.toString('utf8')) : null;
}

function parseBasic(text: string): Credentials | null {
  const colon = text.indexOf(':');
  return colon < 1 ? null : { kind: 'basic', user: text.slice(0, colon), password: text.slice(colon + 1) };
}
