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
  /** The newest tickets that it understands. */
  readonly ticketVersion: number;
  /** Tells whether two nodes have the same cluster key; empty for workers of before there was one. */
  readonly keyCheck: string;
}

/** A worker and its last heartbeat. */
export interface FleetMember extends WorkerNode {
  /** Streams at its last heartbeat. */
  readonly running: number;
  /** By the database's clock, Unix milliseconds. */
  readonly heartbeatAtMs: number;
  /** Gets new tasks: its heartbeat is young and it says that it serves. */
  readonly alive: boolean;
}

/** How a worker is now. */
export interface WorkerState {
  readonly running: number;
  /** Reaches what it needs; else planners pass it over. */
  readonly serving: boolean;
}

export interface Fleet extends AsyncDisposable {
  /** Live workers of this cluster, by id; when none is, those that were within the last minute. */
  workers(): readonly FleetMember[];
  /** Where something of this cluster may still run: everybody seen in the last minutes, also who left. */
  everywhere(): readonly string[];
  /** Every worker of every cluster that is not forgotten, for people. */
  members(): Promise<readonly FleetMember[]>;
  /** Announces a worker until the fleet is closed or `leave` is called. It takes the place of an earlier one of its location. */
  join(self: WorkerNode, state: () => WorkerState): Promise<void>;
  /** Says now how this worker is. */
  announce(): Promise<void>;
  /** Says that nothing new is to be placed here. */
  leave(): Promise<void>;
  /** Milliseconds since this worker last announced itself; null when it has not. */
  heartbeatAgeMs(): number | null;
}

export interface FleetOptions {
  readonly cluster: string;
  /** How often this worker says that it lives, milliseconds: as often as the session looks. */
  readonly heartbeatMs: number;
  /** A worker whose heartbeat is older gets nothing new, milliseconds. */
  readonly aliveMs: number;
  /** The monotonic clock of this process, milliseconds. */
  readonly clock?: () => number;
}

/** One process: the planner is its own only worker. */
export function createSingleNode(): Fleet {
  return {
    workers: () => [],
    everywhere: () => [],
    members: async () => [],
    join: async () => {},
    announce: async () => {},
    leave: async () => {},
    heartbeatAgeMs: () => null,
    [Symbol.asyncDispose]: async () => {},
  };
}

/** When nobody is alive by the rule, those who were a while ago, or do not serve, are better than none. */
const PERHAPS_ALIVE_MS = 60_000;
/** How long a stream may go on at a worker that left. */
const AFTERLIFE_MS = 10 * 60_000;
/** Rows of workers that died without leaving. */
const FORGET_MS = 3_600_000;

export async function createPostgresFleet(session: PostgresSession, options: FleetOptions): Promise<Fleet> {
  const fleet = new PostgresFleet(session, options);
  await session.follow(() => fleet.look());
  return fleet;
}

interface Row extends Omit<WorkerNode, 'ticketVersion' | 'keyCheck'> {
  readonly ticket_version: number;
  readonly key_check: string;
  readonly running: number;
  readonly heartbeat_at: Date;
  readonly serving: boolean;
  /** By the database's clock. */
  readonly age_ms: number;
}

const COLUMNS = `id, cluster, location, zone, capacity, version, ticket_version, key_check, running, serving, heartbeat_at,
  (extract(epoch FROM now() - heartbeat_at) * 1000)::float8 AS age_ms`;

class PostgresFleet implements Fleet {
  readonly #session: PostgresSession;
  readonly #options: FleetOptions;
  readonly #clock: () => number;
  #workers: readonly FleetMember[] = [];
  /** By location: when it was in the list last. */
  readonly #seen = new Map<string, number>();
  #self: { readonly node: WorkerNode; readonly state: () => WorkerState } | null = null;
  #beatAtMs: number | null = null;

  constructor(session: PostgresSession, options: FleetOptions) {
    this.#session = session;
    this.#options = options;
    this.#clock = options.clock ?? (() => performance.now());
  }

  workers(): readonly FleetMember[] {
    return this.#workers;
  }

  everywhere(): readonly string[] {
    return [...this.#seen.keys()];
  }

  async members(): Promise<readonly FleetMember[]> {
    const { rows } = await this.#session.query<Row>(`SELECT ${COLUMNS} FROM sluice.worker ORDER BY cluster, location, id`);
    return rows.map((row) => this.#member(row));
  }

  async join(node: WorkerNode, state: () => WorkerState): Promise<void> {
    this.#self = { node, state };
    await this.#session.query('DELETE FROM sluice.worker WHERE cluster = $1 AND location = $2 AND id <> $3', [
      node.cluster,
      node.location,
      node.id,
    ]);
    await this.announce();
  }

  async announce(): Promise<void> {
    if (this.#self === null) return;
    await this.#beat();
    await this.#tell();
  }

  async leave(): Promise<void> {
    const id = this.#self?.node.id;
    this.#self = null;
    this.#beatAtMs = null;
    if (id === undefined) return;
    await this.#session.query('DELETE FROM sluice.worker WHERE id = $1', [id]);
    await this.#tell();
  }

  heartbeatAgeMs(): number | null {
    return this.#beatAtMs === null ? null : this.#clock() - this.#beatAtMs;
  }

  async look(): Promise<void> {
    const { cluster, heartbeatMs, aliveMs } = this.#options;
    // Others' news come oftener.
    if ((this.heartbeatAgeMs() ?? heartbeatMs) >= heartbeatMs / 2) await this.#beat();
    const statement = `SELECT ${COLUMNS} FROM sluice.worker
      WHERE cluster = $1 AND heartbeat_at > now() - $2 * interval '1 millisecond' ORDER BY id`;
    const { rows } = await this.#session.query<Row>(statement, [cluster, Math.max(PERHAPS_ALIVE_MS, aliveMs)]);
    const members = onePerLocation(rows.map((row) => this.#member(row)));
    const alive = members.filter((member) => member.alive);
    this.#workers = alive.length > 0 ? alive : members;
    this.#remember(members);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Out of reach is as good as gone: the heartbeat ends with this process.
    await this.leave().catch(() => {});
  }

  #remember(members: readonly FleetMember[]): void {
    const nowMs = this.#clock();
    for (const { location } of members) this.#seen.set(location, nowMs);
    for (const [location, seenMs] of this.#seen) if (seenMs < nowMs - AFTERLIFE_MS) this.#seen.delete(location);
  }

  #member({
    ticket_version: ticketVersion,
    key_check: keyCheck,
    heartbeat_at: heartbeatAt,
    age_ms: ageMs,
    serving,
    ...row
  }: Row): FleetMember {
    return { ...row, ticketVersion, keyCheck, heartbeatAtMs: heartbeatAt.getTime(), alive: serving && ageMs <= this.#options.aliveMs };
  }

  async #tell(): Promise<void> {
    await this.#session.query("SELECT pg_notify('sluice_change', 'worker')");
  }

  async #beat(): Promise<void> {
    if (this.#self === null) return;
    const { node, state } = this.#self;
    const { running, serving } = state();
    await this.#session.query(
      `INSERT INTO sluice.worker (id, cluster, location, zone, capacity, version, ticket_version, running, serving, key_check)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
       ON CONFLICT (id) DO UPDATE SET running = excluded.running, serving = excluded.serving, heartbeat_at = now()`,
      [node.id, node.cluster, node.location, node.zone, node.capacity, node.version, node.ticketVersion, running, serving, node.keyCheck],
    );
    this.#beatAtMs = this.#clock();
    await this.#session.query("DELETE FROM sluice.worker WHERE heartbeat_at < now() - $1 * interval '1 millisecond'", [FORGET_MS]);
  }
}

/** Of two that say they are at one place, the one that said so last. */
function onePerLocation(members: readonly FleetMember[]): readonly FleetMember[] {
  const newest = new Map<string, FleetMember>();
  for (const member of members) {
    const other = newest.get(member.location);
    if (other === undefined || other.heartbeatAtMs < member.heartbeatAtMs) newest.set(member.location, member);
  }
  return members.filter((member) => newest.get(member.location) === member);
}
