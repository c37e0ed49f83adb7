/**
 * Where a call's credential is: the `authorization` header or, for clients of Flight's first authentication, the payload of
 * the Handshake and then the header `auth-token-bin`. The older form is read as the newer one, so that there is one check.
 */
import type { Metadata } from '@grpc/grpc-js';
import { fail, SluiceError } from '../errors.ts';
import { orAbort } from '../waiting.ts';
import { decodeBasicAuth, decodeHandshake, encodeHandshake } from '../wire/index.ts';
import type { MessageReader } from './messages.ts';
import { type Rpc, textHeaders } from './rpc.ts';

const HANDSHAKE = 'Handshake';
/** Nobody has signed in yet, so the wait is short. */
const PAYLOAD_WAIT_MS = 10_000;

/** The value that `authorization` has or would have; undefined when the caller shows nothing. */
export async function credentialOf(
  method: string,
  metadata: Metadata,
  reader: MessageReader,
  lifetime: AbortController,
): Promise<string | undefined> {
  const [header] = textHeaders(metadata, 'authorization');
  if (header !== undefined && header !== '') return header;
  const [token] = metadata.get('auth-token-bin');
  if (token !== undefined) return `Bearer ${token.toString('latin1')}`;
  return method === HANDSHAKE ? await credentialOfPayload(reader, lifetime) : undefined;
}

/** Answers a Handshake: the token travels in the headers, and in a message for clients that sent one with content. */
export async function answerHandshake(rpc: Rpc): Promise<void> {
  for await (const message of rpc.messages()) {
    if (decodeHandshake(message).length > 0) {
      const token = Buffer.from(rpc.bearer);
      rpc.setHeader('auth-token-bin', token);
      await rpc.send(encodeHandshake(token));
    }
    return;
  }
}

async function credentialOfPayload(reader: MessageReader, lifetime: AbortController): Promise<string | undefined> {
  const late = new SluiceError('auth.missing', 'the handshake sent neither credentials nor a message');
  const timer = setTimeout(() => lifetime.abort(late), PAYLOAD_WAIT_MS);
  try {
    const message = await orAbort(reader.first(), lifetime.signal);
    const payload = message === null ? null : decodeHandshake(message);
    return payload === null || payload.length === 0 ? undefined : basicHeader(payload);
  } finally {
    clearTimeout(timer);
  }
}

function basicHeader(payload: Uint8Array): string {
  const { username, password } = decodeBasicAuth(payload);
  // As a header the name would end at its first colon.
  if (username === '' || username.includes(':')) fail('auth.invalid', 'user or password is wrong');
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}
