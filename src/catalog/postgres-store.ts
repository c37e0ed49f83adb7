/**
 * The policy set as revisions in PostgreSQL, shared by all clusters: every revision is kept, the newest is in force.
 * LISTEN tells of a new one at once, a slow poll catches what a broken connection missed. Without the database the last
 * set stays in force for a bounded time and then nothing is planned: an outage never widens a policy.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { fail, SluiceError } from '../errors.ts';
import type { Snapshot } from '../model.ts';
import { ColumnCache } from './columns.ts';
import { type Loaded, type LoadOptions, loadSnapshot, POLICY_FILES, type PolicyFiles } from './load.ts';
import { migrate } from './postgres-schema.ts';
import { SnapshotFeed } from './snapshot-feed.ts';
import type { ColumnsDraft, MetadataStore, ResolvedColumns } from './types.ts';

export interface PostgresStoreOptions extends Pick<LoadOptions, 'parsePredicate' | 'supportsMask' | 'check' | 'base'> {
  /** `postgres://user:password@host:port/database`. */
  readonly url: string;
  readonly resolveColumns: (draft: ColumnsDraft) => Promise<ResolvedColumns>;
  /** How long the last set stays in force without the database, milliseconds. */
  readonly graceMs: number;
  readonly pollMs?: number;
  readonly onProblems: (problems: readonly string[]) => void;
  readonly now?: () => number;
}

export interface Revision {
  readonly epoch: number;
  readonly author: string;
  readonly comment: string;
  readonly createdAt: Date;
}

export interface PostgresStore extends MetadataStore {
  /**
   * Makes these files the next revision; `expected` is the epoch that they were made from, 0 for the first.
   * Rejects with policy.invalid, naming every fault, and with metadata.conflict when somebody else was first.
   */
  push(files: PolicyFiles, expected: number, note: { readonly author: string; readonly comment: string }): Promise<number>;
  /** The newest revision's files; null when there is none yet. */
  pull(): Promise<{ readonly epoch: number; readonly files: PolicyFiles } | null>;
  /** Newest first. */
  revisions(limit: number): Promise<readonly Revision[]>;
  /** Milliseconds since the database last answered; 0 while it does. */
  outageMs(): number;
  /** Ends when a revision is in force; at once when one is. */
  ready(): Promise<void>;
}

const POLL_MS = 2000;
const RECONNECT_MS = 500;
const RECONNECT_MAX_MS = 10_000;
const STATEMENT_MS = 10_000;
const UNIQUE_VIOLATION = '23505';

/** Rejects with metadata.unavailable or metadata.version. The store may hold no revision yet: `current()` then rejects. */
export async function createPostgresStore(options: PostgresStoreOptions): Promise<PostgresStore> {
  const store = new RevisionStore(options);
  await store.start();
  return store;
}

class RevisionStore implements PostgresStore {
  readonly #options: PostgresStoreOptions;
  readonly #load: LoadOptions;
  readonly #feed: SnapshotFeed;
  readonly #now: () => number;
  readonly #closing = new AbortController();
  #client: pg.Client | null = null;
  /** The newest revision that was looked at, in force or refused. */
  #seen = 0;
  /** When the database stopped answering. */
  #lostAtMs: number | null = null;
  #work: Promise<void> = Promise.resolve();
  #following: Promise<void> = Promise.resolve();

  constructor(options: PostgresStoreOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
    this.#feed = new SnapshotFeed(options.onProblems);
    this.#load = { ...options, columns: new ColumnCache(options.resolveColumns) };
  }

  async start(): Promise<void> {
    this.#client = await this.#connect();
    await this.#refresh();
    this.#following = this.#follow();
  }

  current(): Snapshot {
    if (this.outageMs() > this.#options.graceMs)
      fail('metadata.unavailable', 'the metadata service has been out of reach for too long; try again later');
    return this.#feed.current();
  }

  watch(listener: (snapshot: Snapshot) => void): () => void {
    return this.#feed.watch(listener);
  }

  outageMs(): number {
    return this.#lostAtMs === null ? 0 : Math.max(1, this.#now() - this.#lostAtMs);
  }

  async ready(): Promise<void> {
    if (this.#feed.last !== null) return;
    await new Promise<void>((resolve) => {
      const stop = this.#feed.watch(() => {
        stop();
        resolve();
      });
    });
  }

  async push(files: PolicyFiles, expected: number, note: { readonly author: string; readonly comment: string }): Promise<number> {
    const { snapshot, problems } = await loadSnapshot(files, this.#load);
    if (snapshot === null) fail('policy.invalid', `the policy set does not load:\n  ${problems.join('\n  ')}`);
    const values = [expected + 1, JSON.stringify(Object.fromEntries(files)), note.author, note.comment, expected];
    const statement = `INSERT INTO sluice.policy_revision (epoch, files, author, comment)
      SELECT $1::bigint, $2::jsonb, $3, $4 WHERE $5::bigint = coalesce((SELECT max(epoch) FROM sluice.policy_revision), 0)`;
    const inserted = await this.#query(statement, values).catch((error: unknown) => {
      if (codeOf(error) === UNIQUE_VIOLATION) return null;
      throw error;
    });
    if (inserted?.rowCount !== 1) fail('metadata.conflict', `revision ${expected} is not the newest any more; pull, merge and push again`);
    await this.#enqueue(() => this.#refresh());
    return expected + 1;
  }

  async pull(): Promise<{ readonly epoch: number; readonly files: PolicyFiles } | null> {
    const { rows } = await this.#query('SELECT epoch, files FROM sluice.policy_revision ORDER BY epoch DESC LIMIT 1', []);
    const row = rows[0] as { epoch: string; files: Readonly<Record<string, unknown>> } | undefined;
    return row === undefined ? null : { epoch: Number(row.epoch), files: readDocument(row.files) };
  }

  async revisions(limit: number): Promise<readonly Revision[]> {
    const { rows } = await this.#query(
      'SELECT epoch, author, comment, created_at FROM sluice.policy_revision ORDER BY epoch DESC LIMIT $1',
      [limit],
    );
    return (rows as { epoch: string; author: string; comment: string; created_at: Date }[]).map((row) => ({
      epoch: Number(row.epoch),
      author: row.author,
      comment: row.comment,
      createdAt: row.created_at,
    }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    this.#feed.close();
    await this.#client?.end().catch(() => {});
    await this.#following;
    await this.#work;
  }

  /** Looks for a newer revision until closed: when told, when it is time, and after each reconnect. */
  async #follow(): Promise<void> {
    const { signal } = this.#closing;
    let pause = RECONNECT_MS;
    while (!signal.aborted) {
      try {
        this.#client ??= await this.#connect();
        await this.#enqueue(() => this.#refresh());
        this.#lostAtMs = null;
        pause = RECONNECT_MS;
        await sleep(this.#options.pollMs ?? POLL_MS, undefined, { signal }).catch(() => {});
      } catch (error) {
        if (signal.aborted) return;
        this.#lose(error);
        // Jitter: a fleet that lost one database must not come back in one moment.
        await sleep(pause * (0.5 + Math.random()), undefined, { signal }).catch(() => {});
        pause = Math.min(pause * 2, RECONNECT_MAX_MS);
      }
    }
  }

  async #connect(): Promise<pg.Client> {
    const client = new pg.Client({
      connectionString: this.#options.url,
      application_name: 'sluice',
      connectionTimeoutMillis: STATEMENT_MS,
      query_timeout: STATEMENT_MS,
      keepAlive: true,
    });
    client.on('error', (error) => this.#lose(error));
    client.on('end', () => this.#lose(new Error('the connection ended')));
    client.on('notification', () => void this.#enqueue(() => this.#refresh()).catch((error: unknown) => this.#lose(error)));
    try {
      await client.connect();
      await migrate(client);
      await client.query('LISTEN sluice_epoch');
      return client;
    } catch (error) {
      await client.end().catch(() => {});
      throw error instanceof SluiceError ? error : unavailable(error);
    }
  }

  #lose(error: unknown): void {
    const client = this.#client;
    this.#client = null;
    void client?.end().catch(() => {});
    if (this.#closing.signal.aborted || this.#lostAtMs !== null) return;
    this.#lostAtMs = this.#now();
    this.#options.onProblems([`the metadata service is out of reach, the last policy stays in force: ${messageOf(error)}`]);
  }

  async #query(text: string, values: readonly unknown[]): Promise<pg.QueryResult> {
    const client = this.#client ?? fail('metadata.unavailable', 'the metadata service is out of reach; try again');
    try {
      return await client.query(text, [...values]);
    } catch (error) {
      // An answer of the server is no outage.
      if (codeOf(error) !== undefined && /^[0-9A-Z]{5}$/.test(codeOf(error) ?? '')) throw error;
      this.#lose(error);
      throw unavailable(error);
    }
  }

  async #refresh(): Promise<void> {
    const newest = await this.pull();
    if (newest === null || newest.epoch <= this.#seen || this.#closing.signal.aborted) return;
    const loaded = await this.#tryLoad(newest.files);
    this.#seen = newest.epoch;
    if (loaded.problems.length > 0) this.#options.onProblems(loaded.problems);
    if (loaded.snapshot !== null && !this.#closing.signal.aborted) this.#feed.publish({ ...loaded.snapshot, epoch: newest.epoch });
  }

  async #tryLoad(files: PolicyFiles): Promise<Loaded> {
    try {
      return await loadSnapshot(files, this.#load);
    } catch (error) {
      this.#load.columns.forget();
      return { snapshot: null, problems: [`the policy set can not be loaded: ${messageOf(error)}`] };
    }
  }

  /** One look at a time. */
  #enqueue(work: () => Promise<void>): Promise<void> {
    const next = this.#work.then(work);
    this.#work = next.catch(() => {});
    return next;
  }
}

/** Unknown names are of a later version: what they mean is not known here, so nothing of the set is. */
function readDocument(files: Readonly<Record<string, unknown>>): PolicyFiles {
  const known = Object.entries(files).map(([name, text]): [string, string] => {
    if (!POLICY_FILES.includes(name) || typeof text !== 'string')
      fail('metadata.version', `the policy set holds ${name}, which this program does not know: upgrade it`);
    return [name, text];
  });
  return new Map(known);
}

function unavailable(cause: unknown): SluiceError {
  return new SluiceError('metadata.unavailable', 'the metadata service is out of reach; try again', cause);
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
