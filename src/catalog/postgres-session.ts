/**
 * One connection to the metadata database, kept up: it reconnects with jitter, and runs what follows the database
 * when told by NOTIFY, when it is time, and after each reconnect. Errors: metadata.unavailable, metadata.version.
 */
import pg from 'pg';
import { fail, SluiceError } from '../errors.ts';
import { migrate } from './postgres-schema.ts';

export interface PostgresSessionOptions {
  /** `postgres://user:password@host:port/database`. */
  readonly url: string;
  /** How often to look without being told, milliseconds. */
  readonly pollMs?: number;
  /** Longest wait for one answer, milliseconds. */
  readonly statementMs?: number;
  readonly onProblems: (problems: readonly string[]) => void;
  readonly now?: () => number;
}

/** Runs one at a time; rejects when the database does not answer. */
type Follower = () => Promise<void>;

const POLL_MS = 2000;
const RECONNECT_MS = 100;
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
  /** The statement under way: a connection runs one at a time. */
  #statement: Promise<unknown> = Promise.resolve();
  #work: Promise<void> = Promise.resolve();
  /** A look that has not begun, good for everybody who asks until it does. */
  #look: Promise<void> | null = null;
  /** Ends the pause between two looks. */
  #wake: () => void = () => {};
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
  refresh(): Promise<void> {
    this.#look ??= this.#enqueue(async () => {
      this.#look = null;
      for (const work of this.#followers) await work();
    });
    return this.#look;
  }

  /** One at a time, in the order of the calls. An answer of the server, good or bad, is no outage: its errors pass as they are. */
  query<Row extends pg.QueryResultRow>(text: string, values: readonly unknown[] = []): Promise<pg.QueryResult<Row>> {
    // Whoever began to wait on one connection does not go on with the next.
    const client = this.#client;
    const result = this.#statement.then(() => this.#query<Row>(client, text, values));
    this.#statement = result.catch(() => {});
    return result;
  }

  async #query<Row extends pg.QueryResultRow>(
    client: pg.Client | null,
    text: string,
    values: readonly unknown[],
  ): Promise<pg.QueryResult<Row>> {
    if (client === null || client !== this.#client) return fail('metadata.unavailable', 'the metadata service is out of reach; try again');
    try {
      return await client.query<Row>(text, [...values]);
    } catch (error) {
      if (isServerAnswer(error)) throw error;
      this.#lose(client, error);
      throw unavailable(error);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    this.#wake();
    await this.#client?.end().catch(() => {});
    await this.#running;
    await this.#work;
  }

  async #keepUp(): Promise<void> {
    let pauseMs = RECONNECT_MS;
    while (!this.closed) {
      // Jitter and growth: a fleet that lost one database must not come back in one moment.
      await this.#pause(() => (this.#client === null ? pauseMs * (0.5 + Math.random()) : (this.#options.pollMs ?? POLL_MS)));
      if (this.closed) return;
      try {
        this.#client ??= await this.#connect();
        await this.refresh();
        this.#lostAtMs = null;
        pauseMs = RECONNECT_MS;
      } catch (error) {
        this.#lose(this.#client, error);
        pauseMs = Math.min(pauseMs * 2, RECONNECT_MAX_MS);
      }
    }
  }

  /** Begins again when the connection is lost, with what is then the pause. */
  #pause(pauseMs: () => number): Promise<void> {
    return new Promise((resolve) => {
      const end = (): void => {
        this.#wake = () => {};
        resolve();
      };
      let timer = setTimeout(end, pauseMs());
      this.#wake = () => {
        clearTimeout(timer);
        if (this.closed) end();
        else timer = setTimeout(end, pauseMs());
      };
    });
  }

  async #connect(): Promise<pg.Client> {
    const { statementMs = STATEMENT_MS } = this.#options;
    const client = new pg.Client({
      connectionString: this.#options.url,
      application_name: 'sluice',
      connectionTimeoutMillis: statementMs,
      query_timeout: statementMs,
      keepAlive: true,
    });
    client.on('error', (error) => this.#lose(client, error));
    client.on('end', () => this.#lose(client, new Error('the connection ended')));
    client.on('notification', () => void this.refresh().catch((error: unknown) => this.#lose(client, error)));
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

  /** Of an earlier connection nothing is heard any more. */
  #lose(client: pg.Client | null, error: unknown): void {
    if (client !== this.#client) return;
    this.#client = null;
    void client?.end().catch(() => {});
    if (client !== null) this.#wake();
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

/** What the server says when it can not serve anybody: connection exceptions, no resources, shutdown, I/O. */
const OUTAGES = /^(08|53|57P|58)/;

/** An SQLSTATE: five characters with a digit among them, as EPIPE has none. */
function isServerAnswer(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  return /^(?=.*\d)[0-9A-Z]{5}$/.test(code) && !OUTAGES.test(code);
}

function unavailable(cause: unknown): SluiceError {
  return new SluiceError('metadata.unavailable', 'the metadata service is out of reach; try again', cause);
}
