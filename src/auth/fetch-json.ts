/** Small JSON documents of an identity provider: https or loopback only, no redirects, bounded in size and time. */
import { isLoopback } from '../loopback.ts';

const TIMEOUT_MS = 10_000;
const BYTES_MAX = 1024 * 1024;

/** Rejects with a plain Error that names the fault. */
export async function fetchJson(url: string): Promise<Readonly<Record<string, unknown>>> {
  if (!isTrustedUrl(url)) throw new Error(`${url} is neither https nor on loopback`);
  const response = await fetch(url, {
    redirect: 'error',
    signal: AbortSignal.timeout(TIMEOUT_MS),
    headers: { accept: 'application/json' },
  });
  if (!response.ok || response.body === null) throw new Error(`${url} answered ${response.status}`);
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of response.body) {
    size += part.length;
    if (size > BYTES_MAX) throw new Error(`${url} answered more than ${BYTES_MAX} bytes`);
    parts.push(part);
  }
  const document: unknown = JSON.parse(Buffer.concat(parts).toString('utf8'));
  if (typeof document !== 'object' || document === null || Array.isArray(document)) throw new Error(`${url} did not answer an object`);
  return document as Readonly<Record<string, unknown>>;
}

/** Whoever can change what such a document says can sign in as anybody, so plain http is for this machine only. */
export function isTrustedUrl(text: string): boolean {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || url.username !== '' || url.password !== '') return false;
  return url.protocol === 'https:' || (url.protocol === 'http:' && isLoopback(url.hostname));
}
