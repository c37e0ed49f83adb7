/**
 * AES-256-GCM sealing of tickets, handles and session tokens.
 * Layout: version, key id length, key id, 12-byte nonce, ciphertext, 16-byte tag. Purpose, version and key id are authenticated.
 */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { fail } from '../errors.ts';

export type SealPurpose = 'ticket' | 'prepared' | 'session' | 'options' | 'poll' | 'secret';

export interface SealKey {
  readonly id: string;
  /** 32 bytes. */
  readonly key: Uint8Array;
}

export interface Sealer {
  seal(purpose: SealPurpose, plain: Uint8Array): Uint8Array;
  /** Every fault fails alike with ticket.invalid: wrong key, purpose, length or content. */
  open(purpose: SealPurpose, sealed: Uint8Array): Uint8Array;
}

const CIPHER = 'aes-256-gcm';
const VERSION = 1;
const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const MAX_ID_BYTES = 64;

/** The first key seals, all of them open; throws a TypeError on an unusable key list. */
export function createSealer(keys: readonly SealKey[]): Sealer {
  const [first] = keys;
  if (first === undefined) throw new TypeError('a sealer needs a key');
  for (const key of keys) checkKey(key);
  const byId = new Map(keys.map((key) => [key.id, key]));
  return {
    seal: (purpose, plain) => seal(first, purpose, plain),
    open: (purpose, sealed) => {
      try {
        return open(byId, purpose, sealed);
      } catch (error) {
        return fail('ticket.invalid', 'the ticket or handle was not made by this cluster', error);
      }
    },
  };
}

function checkKey(key: SealKey): void {
  const idBytes = Buffer.byteLength(key.id);
  if (key.key.length !== KEY_BYTES) throw new TypeError(`a sealing key has ${KEY_BYTES} bytes`);
  if (idBytes === 0 || idBytes > MAX_ID_BYTES) throw new TypeError(`a key id has 1 to ${MAX_ID_BYTES} bytes`);
}

function seal(key: SealKey, purpose: SealPurpose, plain: Uint8Array): Uint8Array {
  const id = Buffer.from(key.id);
  const head = Buffer.concat([Buffer.of(VERSION, id.length), id]);
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv(CIPHER, key.key, nonce, { authTagLength: TAG_BYTES });
  cipher.setAAD(authenticated(purpose, head));
  const body = cipher.update(plain);
  cipher.final();
  return Buffer.concat([head, nonce, body, cipher.getAuthTag()]);
}

function open(keys: ReadonlyMap<string, SealKey>, purpose: SealPurpose, sealed: Uint8Array): Uint8Array {
  const headBytes = 2 + (sealed[1] ?? 0);
  const bodyStart = headBytes + NONCE_BYTES;
  const bodyEnd = sealed.length - TAG_BYTES;
  if (sealed[0] !== VERSION || bodyEnd < bodyStart) throw new Error('not a sealed message');
  const key = keys.get(Buffer.from(sealed.subarray(2, headBytes)).toString());
  if (key === undefined) throw new Error('sealed with an unknown key');
  const decipher = createDecipheriv(CIPHER, key.key, sealed.subarray(headBytes, bodyStart), { authTagLength: TAG_BYTES });
  decipher.setAAD(authenticated(purpose, sealed.subarray(0, headBytes)));
  decipher.setAuthTag(sealed.subarray(bodyEnd));
  const plain = decipher.update(sealed.subarray(bodyStart, bodyEnd));
  decipher.final();
  return plain;
}

/** A ticket must not pass as a session token, nor the other way round. */
function authenticated(purpose: SealPurpose, head: Uint8Array): Uint8Array {
  return Buffer.concat([Buffer.from(`sluice/${purpose}/`), head]);
}
