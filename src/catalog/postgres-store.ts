/**
 * The policy set as revisions in PostgreSQL, shared by all clusters: every revision is kept, the newest is in force.
 * Without the database the last set stays in force for a bounded time and then nothing is planned: an outage never
 * widens a policy.
 */
import { fail, hasCode } from '../errors.ts';
import type { Snapshot } from '../model.ts';
import { ColumnCache } from './columns.ts';
import { type Loaded, type LoadOptions, loadSnapshot, POLICY_FILES, type PolicyFiles } from './load.ts';
import { describeDataset, type PolicyEditor } from './policy-editor.ts';
import type { PostgresSession } from './postgres-session.ts';
import { SnapshotFeed } from './snapshot-feed.ts';
import type { ColumnsDraft, MetadataStore, ResolvedColumns } from './types.ts';

export interface PostgresStoreOptions extends Pick<LoadOptions, 'parsePredicate' | 'supportsMask' | 'check' | 'base'> {
  /** Stays the caller's to close. */
  readonly session: PostgresSession;
  readonly resolveColumns: (draft: ColumnsDraft) => Promise<ResolvedColumns>;
  /** How long the last set stays in force without the database, milliseconds. */
  readonly graceMs: number;
  readonly onProblems: (problems: readonly string[]) => void;
}

export interface Revision {
  readonly epoch: number;
  readonly author: string;
  readonly comment: string;
  readonly createdAt: Date;
}

export interface PostgresStore extends MetadataStore {
  readonly editor: PolicyEditor;
  /**
   * Makes these files the next revision; `expected` is the epoch that they were made from, 0 for the first.
   * Rejects with policy.invalid, naming every fault, and with metadata.conflict when somebody else was first.
   */
  push(files: PolicyFiles, expected: number, note: { readonly author: string; readonly comment: string }): Promise<number>;
  /** The newest revision's files; null when there is none yet. */
  pull(): Promise<{ readonly epoch: number; readonly files: PolicyFiles } | null>;
  /** Newest first. */
  revisions(limit: number): Promise<readonly Revision[]>;
}

const UNIQUE_VIOLATION = '23505';

/** The store may hold no revision yet: `current()` then rejects with policy.invalid. */
export async function createPostgresStore(options: PostgresStoreOptions): Promise<PostgresStore> {
  const store = new RevisionStore(options);
  await store.start();
  return store;
}

class RevisionStore implements PostgresStore {
  readonly editor: PolicyEditor;
  readonly #options: PostgresStoreOptions;
  readonly #session: PostgresSession;
  readonly #load: LoadOptions;
  readonly #feed: SnapshotFeed;
  /** The newest revision that was looked at, in force or refused. */
  #seen = 0;
  #closed = false;

  constructor(options: PostgresStoreOptions) {
    this.#options = options;
    this.#session = options.session;
    this.#feed = new SnapshotFeed(options.onProblems);
    this.#load = { ...options, columns: new ColumnCache(options.resolveColumns) };
    this.editor = {
      read: async () => {
        const newest =
          (await this.pull()) ??
          fail('policy.invalid', 'the metadata holds no policy set yet; write one with: sluice policy push <directory>');
        return { files: newest.files, revision: String(newest.epoch) };
      },
      write: async ({ files, revision }, note) => {
        await this.push(files, Number(revision), note);
        return this.current();
      },
      describe: (files, key) => describeDataset(files, key, options.base),
    };
  }

  start(): Promise<void> {
    return this.#session.follow(() => this.#refresh());
  }

  current(): Snapshot {
    this.#session.requireWithin(this.#options.graceMs);
    return this.#feed.current();
  }

  watch(listener: (snapshot: Snapshot) => void): () => void {
    return this.#feed.watch(listener);
  }

  async push(files: PolicyFiles, expected: number, note: { readonly author: string; readonly comment: string }): Promise<number> {
    const { snapshot, problems } = await loadSnapshot(files, this.#load);
    if (snapshot === null) fail('policy.invalid', `the policy set does not load:\n  ${problems.join('\n  ')}`);
    const statement = `INSERT INTO sluice.policy_revision (epoch, files, author, comment)
      SELECT $1::bigint, $2::jsonb, $3, $4 WHERE $5::bigint = coalesce((SELECT max(epoch) FROM sluice.policy_revision), 0)`;
    const values = [expected + 1, JSON.stringify(Object.fromEntries(files)), note.author, note.comment, expected];
    const inserted = await this.#session.query(statement, values).catch((error: unknown) => {
      if (hasCode(error, UNIQUE_VIOLATION)) return null;
      throw error;
    });
    if (inserted?.rowCount !== 1) fail('metadata.conflict', `revision ${expected} is not the newest any more; pull, merge and push again`);
    await this.#session.refresh();
    return expected + 1;
  }

  pull(): Promise<{ readonly epoch: number; readonly files: PolicyFiles } | null> {
    return this.#newest(0);
  }

  /** The newest revision, if it is later than `seen`: every node looks every few seconds, and a set may be large. */
  async #newest(seen: number): Promise<{ readonly epoch: number; readonly files: PolicyFiles } | null> {
    const statement = 'SELECT epoch, files FROM sluice.policy_revision WHERE epoch > $1 ORDER BY epoch DESC LIMIT 1';
    const { rows } = await this.#session.query<{ epoch: string; files: Readonly<Record<string, unknown>> }>(statement, [seen]);
    const [row] = rows;
    return row === undefined ? null : { epoch: Number(row.epoch), files: readDocument(row.files) };
  }

  async revisions(limit: number): Promise<readonly Revision[]> {
    const statement = 'SELECT epoch, author, comment, created_at FROM sluice.policy_revision ORDER BY epoch DESC LIMIT $1';
    const { rows } = await this.#session.query<{ epoch: string; author: string; comment: string; created_at: Date }>(statement, [limit]);
    return rows.map(({ epoch, author, comment, created_at: createdAt }) => ({ epoch: Number(epoch), author, comment, createdAt }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    this.#feed.close();
  }

  async #refresh(): Promise<void> {
    const newest = this.#closed ? null : await this.#newest(this.#seen);
    if (newest === null) return;
    const { snapshot, problems } = await this.#tryLoad(newest.files);
    this.#seen = newest.epoch;
    if (problems.length > 0) this.#options.onProblems(problems);
    // Tables of principals lie on one node's disk, which the others can not read.
    if (snapshot !== null && !this.#closed) this.#feed.publish({ ...snapshot, epoch: newest.epoch, scratchSchema: null });
  }

  async #tryLoad(files: PolicyFiles): Promise<Loaded> {
    try {
      return await loadSnapshot(files, this.#load);
    } catch (error) {
      this.#load.columns.forget();
      const message = error instanceof Error ? error.message : String(error);
      return { snapshot: null, problems: [`the policy set can not be loaded: ${message}`] };
    }
  }
}

/** An unknown name is of a later version: what it means is not known here, so nothing of the set is taken. */
function readDocument(files: Readonly<Record<string, unknown>>): PolicyFiles {
  return new Map(
    Object.entries(files).map(([name, text]): [string, string] => {
      if (POLICY_FILES.includes(name) && typeof text === 'string') return [name, text];
      return fail('metadata.version', `the policy set holds ${name}, which this program does not know: upgrade it`);
    }),
  );
}
