/** Personal access tokens of local users: made and revoked by SQL or on the command line, and checked at each call. */
import { fail } from '../errors.ts';
import type { Command, Principal } from '../model.ts';
import { hashToken, makeToken } from './token-format.ts';
import type { TokenRecord, TokenStore } from './token-store.ts';

export interface TokenLimits {
  /** Lifetime when none is asked for, milliseconds. */
  readonly ttlMs: number;
  readonly ttlMaxMs: number;
}

export interface Tokens {
  /** The token itself is returned here and never again. Rejects with token.invalid. */
  create(user: string, name: string, ttlMs: number | null): Promise<{ readonly token: string; readonly record: TokenRecord }>;
  /** Unexpired ones, by name. */
  list(user: string): Promise<readonly TokenRecord[]>;
  /** Rejects with token.invalid when there is none of that name. */
  revoke(user: string, name: string): Promise<void>;
  /** The unexpired record of a token, by the token's hash. */
  find(hash: string): Promise<TokenRecord | undefined>;
  /** Drops the tokens of users that are gone, so that a later user of the same name inherits none. */
  retain(users: readonly string[]): Promise<void>;
  /** CREATE TOKEN, SHOW TOKENS and DROP TOKEN for the caller itself. Rejects with policy.denied, token.invalid. */
  run(command: TokenCommand, principal: Principal): Promise<TokenAnswer>;
}

export type TokenCommand = Extract<Command, { kind: 'createToken' | 'dropToken' | 'showTokens' }>;
export type TokenAnswer = { readonly count: number } | { readonly rows: readonly Readonly<Record<string, string | Date | null>>[] };

const PER_USER_MAX = 50;
const NAME = /^[\p{L}\p{N}_][\p{L}\p{N}_.@/ -]{0,63}$/u;
const TTL_MIN_MS = 60_000;
const HOUR_MS = 3_600_000;

export function createTokens(store: TokenStore, limits: TokenLimits, now: () => number = Date.now): Tokens {
  const noteUse = createUseNotes(store, now);
  const isAlive = (record: TokenRecord): boolean => record.expiresAtMs > now();
  const tokens: Tokens = {
    create: async (user, name, ttlMs) => {
      const token = makeToken();
      const lifetimeMs = checkLifetime(ttlMs ?? Math.min(limits.ttlMs, limits.ttlMaxMs), limits);
      const times = { createdAtMs: now(), expiresAtMs: now() + lifetimeMs, usedAtMs: null };
      const record: TokenRecord = { hash: hashToken(token), user, name, ...times };
      await store.update((records) => withToken(records.filter(isAlive), record));
      return { token, record };
    },
    list: async (user) => {
      const own = (await store.read()).filter((record) => record.user === user && isAlive(record));
      return own.sort((a, b) => (a.name < b.name ? -1 : 1));
    },
    revoke: (user, name) => store.update((records) => withoutToken(records.filter(isAlive), user, name)),
    find: async (hash) => {
      const record = (await store.read()).find((candidate) => candidate.hash === hash);
      if (record === undefined || !isAlive(record)) return undefined;
      await noteUse(record);
      return record;
    },
    retain: async (users) => {
      const known = new Set(users);
      if ((await store.read()).every((record) => known.has(record.user))) return;
      await store.update((records) => records.filter((record) => known.has(record.user)));
    },
    run: (command, principal) => runCommand(tokens, command, principal),
  };
  return tokens;
}

/** A token must not make another one, or a stolen one could outlive its own time. */
async function runCommand(tokens: Tokens, command: TokenCommand, { subject, via }: Principal): Promise<TokenAnswer> {
  if (via !== 'password' && via !== 'certificate' && via !== 'token')
    fail('policy.denied', 'personal access tokens are for local users; sign in at your OpenID provider for a token');
  switch (command.kind) {
    case 'createToken': {
      if (via === 'token') fail('policy.denied', 'a token can not make another token; log in with your password or certificate');
      const { token, record } = await tokens.create(subject, command.name, command.ttlMs);
      return { rows: [{ name: record.name, token, expires: new Date(record.expiresAtMs) }] };
    }
    case 'showTokens':
      return { rows: (await tokens.list(subject)).map(describe) };
    case 'dropToken':
      await tokens.revoke(subject, command.name);
      return { count: 1 };
  }
}

function describe({ name, createdAtMs, expiresAtMs, usedAtMs }: TokenRecord): Readonly<Record<string, string | Date | null>> {
  return { name, created: new Date(createdAtMs), expires: new Date(expiresAtMs), used: usedAtMs === null ? null : new Date(usedAtMs) };
}

function checkLifetime(ttlMs: number, { ttlMaxMs }: TokenLimits): number {
  if (!(ttlMs >= TTL_MIN_MS && ttlMs <= ttlMaxMs)) {
    fail('token.invalid', `a token lives at least a minute and at most ${Math.floor(ttlMaxMs / HOUR_MS)} hours`);
  }
  return ttlMs;
}

function withToken(records: readonly TokenRecord[], added: TokenRecord): readonly TokenRecord[] {
  if (!NAME.test(added.name)) fail('token.invalid', 'a token name has 1 to 64 letters, digits, spaces and _ . @ / -');
  const own = records.filter((record) => record.user === added.user);
  if (own.some((record) => record.name === added.name)) fail('token.invalid', `there is a token ${added.name} already; drop it first`);
  if (own.length >= PER_USER_MAX) fail('token.invalid', `there are ${PER_USER_MAX} tokens already; drop one first`);
  return [...records, added];
}

function withoutToken(records: readonly TokenRecord[], user: string, name: string): readonly TokenRecord[] {
  const left = records.filter((record) => record.user !== user || record.name !== name);
  if (left.length === records.length) fail('token.invalid', `there is no token ${name}`);
  return left;
}

/** At most one write per token and hour. Not being able to write that down is no reason to refuse the call. */
function createUseNotes(store: TokenStore, now: () => number): (record: TokenRecord) => Promise<void> {
  const noted = new Map<string, number>();
  return async ({ hash, usedAtMs }) => {
    const hour = Math.floor(now() / HOUR_MS) * HOUR_MS;
    if (Math.max(usedAtMs ?? 0, noted.get(hash) ?? 0) >= hour) return;
    noted.set(hash, hour);
    await store
      .update((records) => records.map((record) => (record.hash === hash ? { ...record, usedAtMs: hour } : record)))
      .catch(() => {});
  };
}
