/** User and password → user. A success is remembered shortly; a wrong guess always costs a whole scrypt, known name or not. */
import { createHmac, randomBytes } from 'node:crypto';
import { fail } from '../errors.ts';
import type { User } from '../model.ts';
import { distinctCosts, verifyPassword } from './password.ts';
import type { Throttle } from './throttle.ts';
import type { Directory } from './users.ts';

export interface Guess {
  readonly user: string;
  readonly password: string;
  /** Network address of the caller. */
  readonly address: string;
}

/** Rejects with auth.invalid, auth.throttled or limit.busy. */
export type PasswordLogin = (guess: Guess) => Promise<User>;

const CACHE_TTL_MS = 60_000;
const CACHE_ENTRIES = 1000;

export function createPasswordLogin(directory: Directory, throttle: Throttle, now: () => number): PasswordLogin {
  const verified = createVerifiedCache(now);
  /** The same guess at the same time is one guess: a pool of connections logs in all at once. */
  const running = new Map<string, Promise<boolean>>();
  const tryOnce = ({ user, password, address }: Guess, passwordHash: string, key: string): Promise<boolean> => {
    const known = running.get(key);
    if (known !== undefined) return known;
    throttle.charge(user, address);
    const attempt = verifyPassword(password, passwordHash, distinctCosts(directory.passwordHashes()))
      .then(
        (valid) => {
          if (valid) throttle.succeed(user, address, true);
          return valid;
        },
        (error: unknown) => {
          throttle.withdraw(user, address);
          throw error;
        },
      )
      .finally(() => running.delete(key));
    running.set(key, attempt);
    return attempt;
  };
  return async (guess) => {
    throttle.check(guess.user, guess.address);
    const user = directory.find(guess.user);
    const passwordHash = user?.passwordHash ?? '';
    const proof = verified.proofOf(guess.user, guess.password, passwordHash);
    if (user !== undefined && verified.has(proof)) {
      throttle.succeed(guess.user, guess.address, false);
      return user;
    }
    const valid = await tryOnce(guess, passwordHash, `${proof} ${guess.address}`);
    if (!valid || user === undefined) return fail('auth.invalid', 'user or password is wrong');
    verified.add(proof);
    return user;
  };
}

interface VerifiedCache {
  /** Keyed digest of all that was verified: a changed hash is another proof. */
  proofOf(name: string, password: string, passwordHash: string): string;
  has(proof: string): boolean;
  add(proof: string): void;
}

function createVerifiedCache(now: () => number): VerifiedCache {
  const key = randomBytes(32);
  const expiries = new Map<string, number>();
  return {
    proofOf: (...parts) => createHmac('sha256', key).update(JSON.stringify(parts)).digest('base64'),
    has: (proof) => (expiries.get(proof) ?? 0) > now(),
    add: (proof) => {
      if ((expiries.get(proof) ?? 0) > now()) return;
      expiries.delete(proof);
      expiries.set(proof, now() + CACHE_TTL_MS);
      const [oldest] = expiries.keys();
      if (expiries.size > CACHE_ENTRIES && oldest !== undefined) expiries.delete(oldest);
    },
  };
}
