/** scrypt password hashes `scrypt$N$r$p$salt$hash`: asynchronous, and few at a time so that a login flood leaves the process alive. */
import { randomBytes, type ScryptOptions, scrypt, timingSafeEqual } from 'node:crypto';
import { fail } from '../errors.ts';

type Cost = Readonly<Record<'N' | 'r' | 'p', number>>;

interface PasswordHash {
  readonly cost: Cost & Pick<ScryptOptions, 'maxmem'>;
  readonly salt: Uint8Array;
  readonly hash: Uint8Array;
}

/** OWASP's advice with 32 MB per login (Password Storage Cheat Sheet, 2025: N=2^15, r=8, p=3). Older hashes still verify. */
const DEFAULT_COST = '32768$8$3';
const SALT_BYTES = 16;
const HASH_BYTES = 32;
/** A hash in a policy file must not ask for more memory than this. */
const MAX_MEMORY_BYTES = 256 * 1024 * 1024;
const MAX_PARALLELISM = 16;
/** libuv's pool has four threads, shared with all file access. */
const MAX_RUNNING = 2;
const MAX_WAITING = 64;
const DECOY_SALT = randomBytes(SALT_BYTES);

const waiting: (() => void)[] = [];
let running = 0;

/** A new hash with a random salt. Fails with limit.busy when too many wait. */
export async function hashPassword(password: string): Promise<string> {
  const { cost } = decoy(DEFAULT_COST);
  const salt = randomBytes(SALT_BYTES);
  await enter();
  try {
    const hash = await derive(password, { cost, salt, hash: new Uint8Array(HASH_BYTES) });
    return ['scrypt', DEFAULT_COST, salt.toString('base64'), hash.toString('base64')].join('$');
  } finally {
    leave();
  }
}

/**
 * false also for a hash that does not parse. A failure costs the same for every name: each cost in `costs` is paid once,
 * with the hash or without. Fails with limit.busy.
 */
export async function verifyPassword(password: string, passwordHash: string, costs: readonly string[] = []): Promise<boolean> {
  const expected = parseHash(passwordHash);
  await enter();
  try {
    if (expected !== null && timingSafeEqual(await derive(password, expected), expected.hash)) return true;
    const paid = expected === null ? null : costText(expected.cost);
    for (const cost of costs) if (cost !== paid) await derive(password, decoy(cost));
    return false;
  } finally {
    leave();
  }
}

/** The different costs among these hashes, for `verifyPassword`; never empty. */
export function distinctCosts(passwordHashes: Iterable<string>): readonly string[] {
  const costs = new Set<string>();
  for (const text of passwordHashes) {
    const parsed = parseHash(text);
    if (parsed !== null) costs.add(costText(parsed.cost));
  }
  return costs.size === 0 ? [DEFAULT_COST] : [...costs].sort();
}

function costText({ N, r, p }: Cost): string {
  return `${N}$${r}$${p}`;
}

function decoy(cost: string): PasswordHash {
  const [N = 0, r = 0, p = 0] = cost.split('$').map(Number);
  return { cost: { N, r, p, maxmem: MAX_MEMORY_BYTES }, salt: DECOY_SALT, hash: new Uint8Array(HASH_BYTES) };
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

function derive(password: string, { cost, salt, hash }: PasswordHash): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    scrypt(password, salt, hash.length, cost, (error, key) => (error === null ? resolve(key) : reject(error)));
  });
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
