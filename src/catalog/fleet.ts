/** Which workers are alive: they announce themselves in the metadata, and the database's clock alone says how long ago. */
import type { PostgresSession } from './postgres-session.ts';

/** A worker as planners and clients see it. */
export interface WorkerNode {
  /** Of one start of one process. */
  readonly id: string;
  readonly cluster: string;
  /** Flight URI as clients reach it, e.g. `grpc+tls://w1.example:8815`. */
  readonly location: string;
  readonly zone: string;
  /** Streams that it serves at the same time. */
  readonly capacity: number;
  readonly version: string;
}

export interface Fleet extends AsyncDisposable {
  /** Live workers of this cluster, by id; when none is, those that were within the last minute. */
  workers(): readonly WorkerNode[];
  /** Announces a worker until the fleet is closed or `leave` is called; `running` is its number of streams now. */
  join(self: WorkerNode, running: () => number): Promise<void>;
  /** Says that nothing new is to be placed here. */
  leave(): Promise<void>;
}

/** One process: the planner is its own only worker. */
export function createSingleNode(): Fleet {
  return { workers: () => [], join: async () => {}, leave: async () => {}, [Symbol.asyncDispose]: async () => {} };
}

const ALIVE = "interval '10 seconds'";
/** When nobody is alive by that rule, those who were a while ago are better than none. */
const PERHAPS_ALIVE = "interval '1 minute'";
/** Rows of workers that died without leaving. */
const FORGET = "interval '1 hour'";

export async function createPostgresFleet(session: PostgresSession, cluster: string): Promise<Fleet> {
  const fleet = new PostgresFleet(session, cluster);
  await session.follow(() => fleet.look());
  return fleet;
}

class PostgresFleet implements Fleet {
  readonly #session: PostgresSession;
  readonly #cluster: string;
  #workers: readonly WorkerNode[] = [];
  #self: { readonly node: WorkerNode; readonly running: () => number } | null = null;

  constructor(session: PostgresSession, cluster: string) {
    this.#session = session;
    this.#cluster = cluster;
  }

  workers(): readonly WorkerNode[] {
    return this.#workers;
  }

  async join(node: WorkerNode, running: () => number): Promise<void> {
    this.#self = { node, running };
    await this.#beat();
    await this.#session.query("SELECT pg_notify('sluice_change', 'worker')");
  }

  async leave(): Promise<void> {
    const id = this.#self?.node.id;
    this.#self = null;
    if (id === undefined) return;
    await this.#session.query('DELETE FROM sluice.worker WHERE id = $1', [id]);
    await this.#session.query("SELECT pg_notify('sluice_change', 'worker')");
  }

  async look(): Promise<void> {
    await this.#beat();
    const statement = `SELECT id, location, zone, capacity, version, heartbeat_at > now() - ${ALIVE} AS alive FROM sluice.worker
      WHERE cluster = $1 AND heartbeat_at > now() - ${PERHAPS_ALIVE} ORDER BY id`;
    const { rows } = await this.#session.query<Omit<WorkerNode, 'cluster'> & { alive: boolean }>(statement, [this.#cluster]);
    const alive = rows.filter((row) => row.alive);
    this.#workers = (alive.length > 0 ? alive : rows).map(({ alive: _, ...row }) => ({ ...row, cluster: this.#cluster }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Out of reach is as good as gone: the heartbeat ends with this process.
    await this.leave().catch(() => {});
  }

  async #beat(): Promise<void> {
    if (this.#self === null) return;
    const { node, running } = this.#self;
    await this.#session.query(
      `INSERT INTO sluice.worker (id, cluster, location, zone, capacity, version, running) VALUES ($1, $2, $3, $4, $5, $6, $7)
       ON CONFLICT (id) DO UPDATE SET running = excluded.running, heartbeat_at = now()`,
      [node.id, node.cluster, node.location, node.zone, node.capacity, node.version, running()],
    );
    await this.#session.query(`DELETE FROM sluice.worker WHERE heartbeat_at < now() - ${FORGET}`);
  }
}
