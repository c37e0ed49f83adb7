/**
 * Personal access tokens: `slc_`, 32 random bytes and a checksum, both base64url. The prefix lets people and secret scanners
 * recognise one; the checksum tells a mistyped one without a look-up. 256 random bits need no slow hash.
 */
import { createHash, randomBytes } from 'node:crypto';

const PREFIX = 'slc_';
const SECRET_BYTES = 32;
const SECRET_CHARACTERS = 43;
const CHECKSUM_CHARACTERS = 6;

/** A fresh token; show it once, keep only its hash. */
export function makeToken(): string {
  const body = PREFIX + randomBytes(SECRET_BYTES).toString('base64url');
  return body + checksum(body);
}

/** Of the right form, checksum included; says nothing about whether it is known. */
export function looksLikeToken(text: string): boolean {
  const bodyLength = PREFIX.length + SECRET_CHARACTERS;
  if (text.length !== bodyLength + CHECKSUM_CHARACTERS || !/^slc_[A-Za-z0-9_-]+$/.test(text)) return false;
  return checksum(text.slice(0, bodyLength)) === text.slice(bodyLength);
}

/** SHA-256 in hex: what is stored. */
export function hashToken(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}

function checksum(body: string): string {
  return createHash('sha256').update(body).digest('base64url').slice(0, CHECKSUM_CHARACTERS);
}
