/**
 * Hashes of personal access tokens. Of one node: a JSON file shared by the server and the command line, replaced whole under a
 * lock file, readable by its owner only, and read again whenever it is another file than before, so that a revocation is in
 * force at once. Of a fleet: a document that all nodes follow.
 */
import { type FileHandle, mkdir, open, readFile, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { hasCode, SluiceError } from '../errors.ts';
import { replaceFile } from '../replace-file.ts';

export interface TokenRecord {
  /** SHA-256 of the token, hex. */
  readonly hash: string;
  readonly user: string;
  readonly name: string;
  readonly createdAtMs: number;
  readonly expiresAtMs: number;
  /** To the hour; null = never. */
  readonly usedAtMs: number | null;
}

export interface TokenStore {
  /** Rejects with auth.unavailable when they do not read. */
  read(): Promise<readonly TokenRecord[]>;
  /** `change` sees the newest records, and nobody else writes meanwhile. Rejects as `read`, and with what `change` throws. */
  update(change: (records: readonly TokenRecord[]) => readonly TokenRecord[]): Promise<void>;
}

interface Loaded {
  readonly version: string;
  readonly records: readonly TokenRecord[];
}

const LOCK_WAIT_MS = 5_000;
const LOCK_RETRY_MS = 20;
/** A process that died while it held the lock. */
const LOCK_STALE_MS = 10_000;

export function createTokenStore(path: string): TokenStore {
  let loaded: Loaded | null = null;
  let last: Promise<unknown> = Promise.resolve();
  const read = (): Promise<readonly TokenRecord[]> =>
    orUnavailable(async () => {
      loaded = await load(path, loaded);
      return loaded.records;
    });
  const change = async (apply: (records: readonly TokenRecord[]) => readonly TokenRecord[]): Promise<void> => {
    const lock = await takeLock(`${path}.lock`);
    try {
      const records = await read();
      const changed = apply(records);
      if (changed !== records) await replaceFile(path, `${JSON.stringify({ tokens: changed }, null, 1)}\n`);
    } finally {
      await lock.close();
      await rm(`${path}.lock`, { force: true });
    }
  };
  return {
    read,
    update: (apply) => {
      const done = last.then(() => change(apply));
      last = done.catch(() => {});
      return done;
    },
  };
}

async function load(path: string, before: Loaded | null): Promise<Loaded> {
  const version = await versionOf(path);
  if (version === before?.version) return before;
  return { version, records: version === 'none' ? [] : readRecords(JSON.parse(await readFile(path, 'utf8'))) };
}

/** Each write makes a new file, so its inode tells even within one tick of the clock. */
async function versionOf(path: string): Promise<string> {
  try {
    const { ino, mtimeNs, size } = await stat(path, { bigint: true });
    return `${ino} ${mtimeNs} ${size}`;
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return 'none';
    throw error;
  }
}

/** What the nodes of a fleet share; `current` throws while it can not be trusted. */
export interface TokenDocument {
  current(): unknown;
  update(change: (content: unknown) => unknown): Promise<void>;
}

export function createSharedTokenStore(document: TokenDocument): TokenStore {
  const recordsOf = (content: unknown): readonly TokenRecord[] => (content === null ? [] : readRecords(content));
  return {
    read: () => orUnavailable(async () => recordsOf(document.current())),
    update: (apply) =>
      document.update((content) => {
        const records = recordsOf(content);
        const changed = apply(records);
        return changed === records ? content : { tokens: changed };
      }),
  };
}

async function orUnavailable<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw new SluiceError('auth.unavailable', 'the stored tokens can not be read; try again', error);
  }
}

function readRecords(document: unknown): readonly TokenRecord[] {
  const tokens: unknown = typeof document === 'object' && document !== null && 'tokens' in document ? document.tokens : undefined;
  if (!Array.isArray(tokens) || !tokens.every(isRecord)) throw new Error('not a list of tokens');
  return tokens;
}

function isRecord(value: unknown): value is TokenRecord {
  if (typeof value !== 'object' || value === null) return false;
  const fields = value as Readonly<Record<string, unknown>>;
  const texts = [fields['hash'], fields['user'], fields['name']].every((field) => typeof field === 'string');
  return texts && typeof fields['createdAtMs'] === 'number' && typeof fields['expiresAtMs'] === 'number';
}

async function takeLock(path: string): Promise<FileHandle> {
  await mkdir(dirname(path), { recursive: true });
  for (const deadline = Date.now() + LOCK_WAIT_MS; ; await sleep(LOCK_RETRY_MS)) {
    try {
      return await open(path, 'wx', 0o600);
    } catch (error) {
      if (!hasCode(error, 'EEXIST') || Date.now() > deadline) {
        throw new SluiceError('auth.unavailable', 'the stored tokens can not be changed now; try again', error);
      }
    }
    const age = await stat(path).then(
      ({ mtimeMs }) => Date.now() - mtimeMs,
      () => 0,
    );
    if (age > LOCK_STALE_MS) await rm(path, { force: true });
  }
}
