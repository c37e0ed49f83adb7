/**
 * The main thread's side of one running query: asks for batches a few ahead of the reader, cancels, and frees the
 * native state on every exit. Native state is touched by one job at a time.
 */
import { SluiceError } from '../errors.ts';
import type { BatchSource, EncodedBatch, WireForm } from '../model.ts';
import { toSchema, toSchemaHeader } from './arrow-schema.ts';
import { encodeDictionary } from './dictionaries.ts';
import { type Address, api } from './duckdb-c.ts';
import { runtimeError } from './failures.ts';
import type { Cursor, JobResults, Pulled, SlotMemory } from './jobs.ts';
import type { SlotPool } from './slots.ts';
import type { ThreadPool } from './thread-pool.ts';

/** A row above the normal slot gets one of its own, up to this. */
const MAX_ROW_BYTES = 16 * 1024 * 1024;
/** DuckDB forgets an interrupt that comes before the query has started: repeat until the job is back. */
const INTERRUPT_MS = 10;
const MAX_BATCH_ROWS = 262_144;
const EMPTY_CURSOR: Cursor = {
  connection: 0,
  statement: 0,
  result: 0,
  options: 0,
  conversion: 0,
  layout: '',
  compression: 'none',
  batchBytes: 0,
  chunk: 0,
  from: 0,
  batches: 0,
};

export interface StreamOptions {
  readonly threads: ThreadPool;
  readonly slots: SlotPool;
  /** Most batches made and not released. */
  readonly window: number;
  readonly form: WireForm;
  readonly signal: AbortSignal;
  /** Called once, after every native handle is freed. */
  readonly onClosed: () => void;
}

interface Waiter {
  resolve(batch: EncodedBatch | null): void;
  reject(error: unknown): void;
}

/** Starts a query and gives its batches. Owns `connection` from the call on; on failure it is freed before the rejection. */
export async function openStream(connection: Address, setup: readonly string[], sql: string, options: StreamOptions): Promise<BatchSource> {
  const stream = new Stream(connection, options);
  await stream.open(setup, sql);
  const schemaHeader = toSchemaHeader(toSchema(stream.columns));
  return {
    schemaHeader,
    next: () => stream.next(),
    [Symbol.asyncDispose]: () => stream.close(),
  };
}

class Stream {
  readonly #options: StreamOptions;
  readonly #ready: EncodedBatch[] = [];
  readonly #waiters: Waiter[] = [];
  #cursor: Cursor;
  #columns: JobResults['open']['columns'] = [];
  /** Not yet delivered. */
  readonly #dictionaries: EncodedBatch[] = [];
  /** The job that has the cursor; settles, never rejects. */
  #job: Promise<void> | null = null;
  #ended = false;
  #error: SluiceError | null = null;
  #closed: Promise<void> | null = null;
  #freed: Promise<void> | null = null;
  #taken = 0;
  #slotsHeld = 0;
  /** Slot size for a row that is larger than normal. */
  #growTo: number | null = null;

  constructor(connection: Address, options: StreamOptions) {
    this.#cursor = { ...EMPTY_CURSOR, connection };
    this.#options = options;
    options.signal.addEventListener('abort', this.#abort);
    if (options.signal.aborted) this.#abort();
  }

  get columns(): JobResults['open']['columns'] {
    return this.#columns;
  }

  async open(setup: readonly string[], sql: string): Promise<void> {
    const { connection } = this.#cursor;
    if (this.#closed === null) {
      await this.#start(
        this.#options.threads.run<'open'>(() => {
          this.#checkOpen();
          return { kind: 'open', connection, setup, sql, form: this.#options.form };
        }),
        ({ cursor, columns, dictionaries }) => {
          this.#cursor = cursor;
          this.#columns = columns;
          this.#dictionaries.push(...dictionaries.map(encodeDictionary));
        },
      );
    }
    if (this.#error === null) return this.#pullAhead();
    await this.close();
    throw this.#error;
  }

  next(): Promise<EncodedBatch | null> {
    const dictionary = this.#closed === null ? this.#dictionaries.shift() : undefined;
    if (dictionary !== undefined) return Promise.resolve(dictionary);
    return new Promise((resolve, reject) => {
      this.#waiters.push({ resolve, reject });
      this.#deliver();
      this.#pullAhead();
    });
  }

  /** Stops what runs and frees everything; later calls wait for the first. */
  close(): Promise<void> {
    this.#closed ??= this.#shutDown();
    this.#deliver();
    return this.#closed;
  }

  readonly #abort = (): void => {
    this.#error ??= new SluiceError('request.cancelled', 'the request was cancelled', this.#options.signal.reason);
    void this.close();
  };

  /** Runs `job` as the only owner of the cursor. */
  #start<T>(job: Promise<T>, done: (result: T) => void): Promise<void> {
    const settled = job
      .then(done)
      .catch((error: unknown) => {
        this.#error ??= runtimeError(error);
        void this.close();
      })
      .finally(() => {
        if (this.#job === settled) this.#job = null;
      });
    this.#job = settled;
    return settled;
  }

  /** A job that still waited for a thread when the stream closed does not start. */
  #checkOpen(): void {
    if (this.#closed !== null) throw this.#error ?? new SluiceError('request.cancelled', 'the stream was closed');
  }

  /** Keeps up to `window` batches ahead; a reader that takes none holds one. */
  #pullAhead(): void {
    if (this.#job !== null || this.#closed !== null) return;
    if (this.#ended) {
      void this.#free();
      return;
    }
    const window = Math.min(this.#options.window, 1 + this.#taken);
    const isAwaited = this.#waiters.length > this.#ready.length;
    if (!isAwaited && Math.max(this.#ready.length, this.#slotsHeld) >= window) return;
    let slot: SlotMemory | null = null;
    const job = this.#options.threads.run<'pull'>(() => {
      this.#checkOpen();
      const maxRows = this.#growTo === null ? MAX_BATCH_ROWS : 1;
      slot = this.#options.slots.take(this.#growTo ?? undefined);
      return { kind: 'pull', cursor: this.#cursor, slot, maxRows };
    });
    const giveBack = (): void => {
      if (slot !== null) this.#options.slots.give(slot);
    };
    job.catch(giveBack);
    void this.#start(job, (pulled) => {
      this.#accept(pulled, slot, giveBack);
    }).then(() => this.#pullAhead());
  }

  #accept(pulled: Pulled, slot: SlotMemory | null, giveBack: () => void): void {
    this.#cursor = { ...this.#cursor, ...pulled.position };
    this.#growTo = null;
    if (pulled.kind === 'batch') {
      this.#ended = pulled.ended;
      this.#ready.push(this.#toBatch(pulled, slot, giveBack));
    } else {
      giveBack();
      if (pulled.kind === 'end') this.#ended = true;
      else if (pulled.bytes > MAX_ROW_BYTES) throw new SluiceError('limit.row', 'a single row is larger than the largest message');
      else this.#growTo = pulled.bytes;
    }
    this.#deliver();
  }

  #toBatch(pulled: Extract<Pulled, { kind: 'batch' }>, slot: SlotMemory | null, giveBack: () => void): EncodedBatch {
    const { header, rows } = pulled;
    if (pulled.body !== null || slot === null) {
      giveBack();
      return { header, body: pulled.body ?? new Uint8Array(), rows, release: () => {} };
    }
    this.#slotsHeld++;
    let held = true;
    const release = (): void => {
      if (!held) return;
      held = false;
      this.#slotsHeld--;
      giveBack();
      this.#pullAhead();
    };
    return { header, body: new Uint8Array(slot.memory, 0, pulled.length), rows, release };
  }

  #deliver(): void {
    while (this.#waiters.length > 0) {
      const batch = this.#error === null && this.#closed === null ? this.#ready.shift() : undefined;
      const isOver = this.#error !== null || this.#closed !== null || this.#ended;
      if (batch === undefined && !isOver) return;
      const waiter = this.#waiters.shift();
      if (batch !== undefined) {
        this.#taken++;
        waiter?.resolve(batch);
      } else if (this.#error === null && this.#ended) waiter?.resolve(null);
      else waiter?.reject(this.#error ?? new SluiceError('request.cancelled', 'the stream was closed'));
    }
  }

  async #shutDown(): Promise<void> {
    this.#options.signal.removeEventListener('abort', this.#abort);
    this.#dropReady();
    if (this.#job !== null) {
      const interrupt = (): void => api.interrupt(this.#cursor.connection);
      interrupt();
      const timer = setInterval(interrupt, INTERRUPT_MS);
      await this.#job;
      clearInterval(timer);
      // What the last job still made.
      this.#dropReady();
    }
    await this.#free();
  }

  #dropReady(): void {
    for (const batch of this.#ready.splice(0)) batch.release();
  }

  /** Frees the native state, once; no job may have the cursor. A lost thread is no reason to fail here. */
  #free(): Promise<void> {
    this.#freed ??= this.#options.threads
      .run<'close'>(() => ({ kind: 'close', cursor: this.#cursor }), { first: true })
      .then(
        () => {},
        () => {},
      )
      .finally(this.#options.onClosed);
    return this.#freed;
  }
}
