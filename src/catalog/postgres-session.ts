/**
 * One connection to the metadata database, kept up: it reconnects with jitter, and runs what follows the database
 * when told by NOTIFY, when it is time, and after each reconnect. Errors: metadata.unavailable, metadata.version.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { fail, SluiceError } from '../errors.ts';
import { migrate } from './postgres-schema.ts';

export interface PostgresSessionOptions {
  /** `postgres://user:password@host:port/database`. */
  readonly url: string;
  /** How often to look without being told, milliseconds. */
  readonly pollMs?: number;
  readonly onProblems: (problems: readonly string[]) => void;
  readonly now?: () => number;
}

/** Runs one at a time; rejects when the database does not answer. */
type Follower = () => Promise<void>;

const POLL_MS = 2000;
const RECONNECT_MS = 500;
const RECONNECT_MAX_MS = 10_000;
const STATEMENT_MS = 10_000;
/** What every node listens to; the follower looks for itself what changed. */
const CHANNEL = 'sluice_change';

export class PostgresSession implements AsyncDisposable {
  readonly #options: PostgresSessionOptions;
  readonly #followers: Follower[] = [];
  readonly #closing = new AbortController();
  readonly #now: () => number;
  #client: pg.Client | null = null;
  /** When the database stopped answering. */
  #lostAtMs: number | null = null;
  #work: Promise<void> = Promise.resolve();
  #running: Promise<void> = Promise.resolve();

  /** Rejects when the database is out of reach or ahead of this program. */
  static async open(options: PostgresSessionOptions): Promise<PostgresSession> {
    const session = new PostgresSession(options);
    session.#client = await session.#connect();
    session.#running = session.#keepUp();
    return session;
  }

  private constructor(options: PostgresSessionOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
  }

  get closed(): boolean {
    return this.#closing.signal.aborted;
  }

  /** Milliseconds since the database last answered; 0 while it does. */
  outageMs(): number {
    return this.#lostAtMs === null ? 0 : Math.max(1, this.#now() - this.#lostAtMs);
  }

  /** Throws metadata.unavailable when what was read last is older than `graceMs` allows. */
  requireWithin(graceMs: number): void {
    if (this.outageMs() > graceMs) fail('metadata.unavailable', 'the metadata service has been out of reach for too long; try again later');
  }

  /** Runs `work` now, and again whenever something may have changed. */
  async follow(work: Follower): Promise<void> {
    await this.#enqueue(work);
    this.#followers.push(work);
  }

  /** Looks now; ends when what others wrote before is known here. */
  async refresh(): Promise<void> {
    for (const work of this.#followers) await this.#enqueue(work);
  }

  /** An answer of the server, good or bad, is no outage: its errors pass as they are. */
  async query<Row extends pg.QueryResultRow>(text: string, values: readonly unknown[] = []): Promise<pg.QueryResult<Row>> {
    const client = this.#client ?? fail('metadata.unavailable', 'the metadata service is out of reach; try again');
    try {
      return await client.query<Row>(text, [...values]);
    } catch (error) {
      if (isServerAnswer(error)) throw error;
      this.#lose(error);
      throw unavailable(error);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    await this.#client?.end().catch(() => {});
    await this.#running;
    await this.#work;
  }

  async #keepUp(): Promise<void> {
    const { signal } = this.#closing;
    let pause = RECONNECT_MS;
    while (!signal.aborted) {
      await sleep(this.#lostAtMs === null ? (this.#options.pollMs ?? POLL_MS) : pause * (0.5 + Math.random()), undefined, { signal }).catch(
        () => {},
      );
      if (signal.aborted) return;
      try {
        this.#client ??= await this.#connect();
        await this.refresh();
        this.#lostAtMs = null;
        pause = RECONNECT_MS;
      } catch (error) {
        this.#lose(error);
        // Jitter and growth: a fleet that lost one database must not come back in one moment.
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
    client.on('notification', () => void this.refresh().catch((error: unknown) => this.#lose(error)));
    try {
      await client.connect();
      await migrate(client);
      await client.query(`LISTEN ${CHANNEL}`);
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
    if (this.closed || this.#lostAtMs !== null) return;
    this.#lostAtMs = this.#now();
    const message = error instanceof Error ? error.message : String(error);
    this.#options.onProblems([`the metadata service is out of reach, the last policy stays in force: ${message}`]);
  }

  /** One look at a time. */
  #enqueue(work: Follower): Promise<void> {
    const next = this.#work.then(async () => {
      if (!this.closed) await work();
    });
    this.#work = next.catch(() => {});
    return next;
  }
}

/** Five characters: an SQLSTATE. */
function isServerAnswer(error: unknown): boolean {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' && /^[0-9A-Z]{5}$/.test(error.code);
}

function unavailable(cause: unknown): SluiceError {
  return new SluiceError('metadata.unavailable', 'the metadata service is out of reach; try again', cause);
}
