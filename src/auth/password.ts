/** scrypt password hashes `scrypt$N$r$p$salt$hash`: asynchronous, and few at a time so that a login flood leaves the process alive. */
import { randomBytes, type ScryptOptions, scrypt, timingSafeEqual } from 'node:crypto';
import { fail } from '../errors.ts';

interface PasswordHash {
  readonly cost: ScryptOptions;
  readonly salt: Uint8Array;
  readonly hash: Uint8Array;
}

const COST = { N: 16384, r: 8, p: 1 };
const SALT_BYTES = 16;
const HASH_BYTES = 32;
/** A hash in a policy file must not ask for more memory than this. */
const MAX_MEMORY_BYTES = 256 * 1024 * 1024;
const MAX_PARALLELISM = 16;
/** libuv's pool has four threads, shared with all file access. */
const MAX_RUNNING = 2;
const MAX_WAITING = 64;

const waiting: (() => void)[] = [];
let running = 0;

/** A new hash with a random salt. Fails with limit.busy when too many wait. */
export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(SALT_BYTES);
  const hash = await derive(password, { cost: COST, salt, hash: new Uint8Array(HASH_BYTES) });
  return ['scrypt', COST.N, COST.r, COST.p, salt.toString('base64'), hash.toString('base64')].join('$');
}

/** false also for a hash that does not parse. Takes the same time for every password. Fails with limit.busy. */
export async function verifyPassword(password: string, passwordHash: string): Promise<boolean> {
  const expected = parseHash(passwordHash);
  if (expected === null) return false;
  return timingSafeEqual(await derive(password, expected), expected.hash);
}

function parseHash(text: string): PasswordHash | null {
  const [scheme, n, r, p, salt, hash, ...rest] = text.split('$');
  if (scheme !== 'scrypt' || salt === undefined || hash === undefined || rest.length > 0) return null;
  const cost = { N: Number(n), r: Number(r), p: Number(p), maxmem: MAX_MEMORY_BYTES };
  const bytes = { salt: Buffer.from(salt, 'base64'), hash: Buffer.from(hash, 'base64') };
  return usable(cost) && bytes.salt.length > 0 && bytes.hash.length >= SALT_BYTES ? { cost, ...bytes } : null;
}

function usable({ N, r, p }: { N: number; r: number; p: number }): boolean {
  const whole = [N, r, p].every((value) => Number.isInteger(value) && value > 0);
  return whole && N > 1 && Number.isInteger(Math.log2(N)) && p <= MAX_PARALLELISM && 128 * N * r < MAX_MEMORY_BYTES;
}

async function derive(password: string, { cost, salt, hash }: PasswordHash): Promise<Buffer> {
  await enter();
  try {
    return await new Promise<Buffer>((resolve, reject) => {
      scrypt(password, salt, hash.length, cost, (error, key) => (error === null ? resolve(key) : reject(error)));
    });
  } finally {
    leave();
  }
}

async function enter(): Promise<void> {
  if (running < MAX_RUNNING) {
    running++;
    return;
  }
  if (waiting.length >= MAX_WAITING) fail('limit.busy', 'too many logins at once, try again');
  await new Promise<void>((resolve) => waiting.push(resolve));
}

/** A waiter takes over the place, so `running` does not change. */
function leave(): void {
  const next = waiting.shift();
  if (next === undefined) running--;
  else next();
}
