/** A Flight server over a fake planner and worker, with counters of everything that must be given back. */
import { Field, Int32, makeData, RecordBatch, RecordBatchStreamWriter, Schema, Struct, type Table, tableFromIPC, Utf8 } from 'apache-arrow';
import { createAuditLog } from '#src/audit.js';
import { createAuthenticator, hashPassword } from '#src/auth/index.js';
import { fail } from '#src/errors.js';
import { createFlightServer, type FlightServer, sqlMethods } from '#src/flight/index.js';
import { createLogger } from '#src/log.js';
import type { BatchSource, User } from '#src/model.js';
import type { Plan, PlanAudit, Planner, VisibleCatalog } from '#src/planner/index.js';
import { createSealer, type IpcMessages, type Sealer, schemaMessage, splitIpcStream } from '#src/wire/index.js';
import type { OpenedTask, Worker } from '#src/worker/index.js';
import { PATIENCE } from '../../support/patience.ts';

export { call, type Reply } from '../../support/flight-call.ts';

export const sealer: Sealer = createSealer([{ id: 'k1', key: new Uint8Array(32).fill(7) }]);
export const rowSchema: Schema = new Schema([new Field('n', new Int32(), false), new Field('s', new Int32(), true)]);

/** What the tests look at of one audit line. */
export interface AuditRecord {
  readonly requestId: string;
  readonly method: string;
  readonly peer: string;
  readonly outcome: string;
  readonly command?: string;
  readonly statement?: string;
  readonly code?: string;
  readonly bytes?: number;
}

export interface Held {
  produced: number;
  released: number;
  disposed: number;
  /** Most batches ever held at once. */
  peak: number;
  aborted: number;
}

export interface SourceOptions {
  readonly batches: number;
  readonly rows?: number;
  /** Fails at this batch. */
  readonly failAt?: number;
  /** Never answers at this batch. */
  readonly hangAt?: number;
  readonly shared?: boolean;
}

export interface Fake {
  readonly server: FlightServer;
  readonly port: number;
  readonly held: Held;
  readonly audits: AuditRecord[];
  readonly users: Map<string, User>;
  /** What the next redeemed ticket streams. */
  source: SourceOptions;
  /** The sealed tickets of each plan. */
  tickets: readonly Uint8Array[];
  visible: VisibleCatalog;
  /** The planner answers this instead. */
  planner: Partial<Planner>;
  worker: Partial<Worker>;
  /** The server's clock is so much ahead. */
  laterMs: number;
  [Symbol.asyncDispose](): Promise<void>;
}

export const SESSION_IDLE_MS: number = 30 * 60_000;
export const fakeAudit: PlanAudit = { queryId: 'q1', statement: 'SELECT 1', epoch: 3, fingerprint: 'f1', decisions: [] };
const task: OpenedTask = { queryId: 'q1', statement: 'SELECT 1', epoch: 3, fingerprint: 'f1' };
const passwordHash = await hashPassword('ada-demo');

const tableSchema = new Schema([new Field('id', new Int32(), false), new Field('name', new Utf8(), true)]);
export const demoCatalog: VisibleCatalog = {
  catalogName: 'sluice',
  tables: [
    { schema: 'demo', name: 'orders', type: 'TABLE', description: '', columns: [], arrow: tableSchema, primaryKey: [], foreignKeys: [] },
    {
      schema: 'demo',
      name: 'order_items',
      type: 'TABLE',
      description: '',
      columns: [],
      arrow: tableSchema,
      primaryKey: [],
      foreignKeys: [],
    },
    { schema: 'crm', name: 'people', type: 'VIEW', description: '', columns: [], arrow: tableSchema, primaryKey: [], foreignKeys: [] },
  ],
};

export async function startFake(): Promise<Fake> {
  const held: Held = { produced: 0, released: 0, disposed: 0, peak: 0, aborted: 0 };
  const audits: AuditRecord[] = [];
  const users = new Map<string, User>([['ada', { name: 'ada', passwordHash, groups: ['staff'], attributes: {} }]]);
  const state = { source: { batches: 2 } as SourceOptions, tickets: [Buffer.from('t0')] as readonly Uint8Array[], visible: demoCatalog };
  const fake = { ...state, held, audits, users, planner: {} as Partial<Planner>, worker: {} as Partial<Worker>, laterMs: 0 };
  const planner = fakePlanner(fake);
  const base: Worker = {
    redeem: async (sealed, _principal, signal) => {
      if (Buffer.from(sealed).toString() !== 't0') fail('ticket.invalid', 'the ticket was not made by this cluster');
      return {
        task,
        source: countingSource(fake.source, held, signal),
        ended: signal,
      };
    },
    execute: async () => ({ task, rows: 0 }),
    ingest: async () => 0,
    cancel: async () => false,
    track: (_, signal) => ({ signal, end: () => {} }),
  };
  const worker = new Proxy(base, { get: (target, name: keyof Worker) => fake.worker[name] ?? target[name] });
  const server = await createFlightServer({
    host: '127.0.0.1',
    port: 0,
    methods: sqlMethods({
      planner,
      worker,
      sealer,
      version: '1.2.3',
      sessionIdleMs: SESSION_IDLE_MS,
      now: () => Date.now() + fake.laterMs,
    }),
    authenticator: createAuthenticator({
      users: () => [...users.values()],
      sealer,
      sessionTtlMs: 3_600_000,
      sessionMaxMs: 3_600_000,
      tokens: null,
      oidc: null,
    }),
    audit: createAuditLog((line) => audits.push(JSON.parse(line))),
    logger: createLogger(process.env['FLIGHT_LOG'] === undefined ? 'silent' : 'debug'),
    maxMessageBytes: 16 * 1024 * 1024,
  });
  return Object.assign(fake, {
    server,
    port: server.port,
    [Symbol.asyncDispose]: async () => {
      await server[Symbol.asyncDispose]();
    },
  });
}

function fakePlanner(fake: { tickets: readonly Uint8Array[]; visible: VisibleCatalog; planner: Partial<Planner> }): Planner {
  const plan = async (): Promise<Plan> => ({
    queryId: 'q1',
    schema: rowSchema,
    tickets: fake.tickets,
    ordered: true,
    expiresAtMs: 4_000_000_000_000,
    audit: fakeAudit,
  });
  const base: Planner = {
    plan,
    prepare: async () => ({ handle: Buffer.from('handle'), schema: rowSchema, parameters: new Schema([]), audit: fakeAudit }),
    planPrepared: plan,
    bindParameters: () => Buffer.from('bound'),
    schemaOf: async () => rowSchema,
    schemaOfPrepared: async () => rowSchema,
    renew: async (ticket) => ({ ticket, expiresAtMs: 4_000_000_000_000 }),
    visibleCatalog: async () => fake.visible,
  };
  return new Proxy(base, { get: (target, name: keyof Planner) => fake.planner[name] ?? target[name] });
}

/** Int32 batches in ordinary or shared memory. */
export function countingSource(options: SourceOptions, held: Held, signal: AbortSignal): BatchSource {
  let index = 0;
  const rows = options.rows ?? 4;
  const aborted = new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => {
      held.aborted++;
      reject(signal.reason);
    });
  });
  aborted.catch(() => {});
  return {
    schemaHeader: schemaMessage(rowSchema),
    next: async () => {
      if (index === options.hangAt) return await aborted;
      if (index === options.failAt) fail('sql.runtime', 'the statement failed on the data');
      if (index >= options.batches) return null;
      const { header, body } = encodeRows(index++, rows);
      held.produced++;
      held.peak = Math.max(held.peak, held.produced - held.released);
      return { header, body: options.shared === true ? intoShared(body) : body, rows, release: () => void held.released++ };
    },
    [Symbol.asyncDispose]: async () => void held.disposed++,
  };
}

function encodeRows(batch: number, rows: number) {
  // One array each: apache-arrow's writer drops a buffer that it has just written.
  const column = () =>
    makeData({ type: new Int32(), length: rows, nullCount: 0, data: Int32Array.from({ length: rows }, (_, row) => batch * rows + row) });
  const data = makeData({ type: new Struct(rowSchema.fields), length: rows, nullCount: 0, children: [column(), column()] });
  const [encoded] = splitIpcStream(RecordBatchStreamWriter.writeAll([new RecordBatch(rowSchema, data)]).toUint8Array(true)).batches;
  if (encoded === undefined) throw new Error('no batch');
  return encoded;
}

function intoShared(body: Uint8Array): Uint8Array {
  const shared = new Uint8Array(new SharedArrayBuffer(body.length + 64), 64);
  shared.set(body);
  return shared;
}

/** Reads finished messages back with apache-arrow. */
export function tableOf({ schemaHeader, batches }: IpcMessages): Table {
  const parts = [{ header: schemaHeader, body: new Uint8Array(0) }, ...batches].flatMap(({ header, body }) => {
    const prefix = Buffer.from([255, 255, 255, 255, 0, 0, 0, 0]);
    prefix.writeInt32LE(header.length, 4);
    return [prefix, header, body];
  });
  return tableFromIPC(Buffer.concat(parts));
}

/** Rejects when it takes longer than anything may. */
export async function eventually(check: () => boolean): Promise<void> {
  for (const end = Date.now() + PATIENCE.timeout; !check(); await new Promise((resolve) => setTimeout(resolve, 10)))
    if (Date.now() > end) throw new Error(`it did not happen within ${PATIENCE.timeout} ms`);
}
