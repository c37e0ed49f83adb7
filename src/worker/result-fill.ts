/**
 * One computation of a result, recorded while it is read. Its first reader pulls at its own pace; once others wait for the same result it runs
 * on by itself, so that nobody waits for a slow client. They wait for the whole of it, because a result that turns out too
 * large is dropped, and one that has sent nothing yet can still be computed anew.
 */
import { SluiceError } from '../errors.ts';
import type { BatchSource, EncodedBatch } from '../model.ts';
import { orAbort } from '../waiting.ts';
import { batchBytes, type KeptBatch, type KeptResult, type ResultStore, resultBytes } from './result-store.ts';

export interface FillOptions {
  readonly store: Pick<ResultStore, 'reserve' | 'unreserve' | 'entryMax'>;
  /** `bytes` are reserved and now the callee's. */
  readonly onKept: (result: KeptResult, bytes: number, costMs: number) => void;
  /** Once, when it is kept or never will be. */
  readonly onSettled: (outcome: 'kept' | 'large' | 'failed') => void;
}

export interface Fill {
  /** The first reader's stream. Rejects as `start` does. Call once. */
  lead(start: (signal: AbortSignal) => Promise<BatchSource>, signal: AbortSignal): Promise<BatchSource>;
  /** Resolves when the result is kept: true, or never will be: false. Rejects with the signal's reason. */
  follow(signal: AbortSignal): Promise<boolean>;
}

export function createFill(options: FillOptions): Fill {
  return new RecordedFill(options);
}

class RecordedFill implements Fill {
  readonly #options: FillOptions;
  /** Of the computation, which may outlive its first reader. */
  readonly #work = new AbortController();
  readonly #settled: Promise<boolean>;
  #settle: (kept: boolean) => void = () => {};
  #opening: Promise<BatchSource> | null = null;
  #source: BatchSource | null = null;
  /** null = not recorded any more. */
  #recorded: KeptBatch[] | null = [];
  #reserved = 0;
  /** Not read by the first reader yet. */
  readonly #queue: EncodedBatch[] = [];
  #pulling: Promise<void> | null = null;
  #ended = false;
  #error: unknown = null;
  #hasLeader = false;
  #followers = 0;
  #costMs = 0;
  #closing: Promise<void> | null = null;
  #sourceClosed: Promise<void> | null = null;

  constructor(options: FillOptions) {
    this.#options = options;
    this.#settled = new Promise((resolve) => {
      this.#settle = resolve;
    });
  }

  readonly lead: Fill['lead'] = async (start, signal) => {
    this.#hasLeader = true;
    try {
      this.#opening = this.#open(start);
      const source = await orAbort(this.#opening, signal);
      return this.#reader(source.schemaHeader, signal);
    } catch (error) {
      await this.#leaderLeaves(signal.aborted ? signal.reason : error);
      throw error;
    }
  };

  readonly follow: Fill['follow'] = async (signal) => {
    this.#followers++;
    void this.#runOn();
    try {
      return await orAbort(this.#settled, signal);
    } finally {
      this.#followers--;
      await this.#endIfAlone(signal.reason);
    }
  };

  async #open(start: (signal: AbortSignal) => Promise<BatchSource>): Promise<BatchSource> {
    const startedMs = performance.now();
    try {
      const source = await start(this.#work.signal);
      if (this.#work.signal.aborted) {
        await source[Symbol.asyncDispose]();
        throw this.#work.signal.reason;
      }
      this.#source = source;
      this.#costMs += performance.now() - startedMs;
      this.#reserve(resultBytes(source.schemaHeader));
      if (this.#followers > 0) void this.#runOn();
      return source;
    } catch (error) {
      this.#fail(error);
      throw error;
    }
  }

  #reader(schemaHeader: Uint8Array, signal: AbortSignal): BatchSource {
    let left: Promise<void> | null = null;
    const leave = (reason: unknown): Promise<void> => {
      signal.removeEventListener('abort', onAbort);
      left ??= this.#leaderLeaves(reason);
      return left;
    };
    const onAbort = (): void => void leave(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    return {
      schemaHeader,
      next: async () => {
        for (;;) {
          signal.throwIfAborted();
          const batch = this.#queue.shift();
          if (batch !== undefined) return batch;
          if (this.#error !== null) throw this.#error;
          if (this.#ended) return null;
          if (left !== null) throw new SluiceError('request.cancelled', 'the stream was closed');
          await orAbort(this.#pull(), signal);
        }
      },
      [Symbol.asyncDispose]: () => leave(new SluiceError('request.cancelled', 'the stream was closed')),
    };
  }

  /** One at a time; never rejects. */
  #pull(): Promise<void> {
    const source = this.#source;
    if (source === null || this.#ended || this.#error !== null) return Promise.resolve();
    this.#pulling ??= this.#take(source).finally(() => {
      this.#pulling = null;
    });
    return this.#pulling;
  }

  async #take(source: BatchSource): Promise<void> {
    const startedMs = performance.now();
    try {
      const batch = await source.next();
      this.#costMs += performance.now() - startedMs;
      if (batch === null) await this.#complete(source);
      else this.#record(batch);
    } catch (error) {
      this.#fail(error);
    }
  }

  /** The copy also serves the first reader, so that the engine has its memory back at once. */
  #record(batch: EncodedBatch): void {
    if (this.#closing !== null) batch.release();
    else if (this.#recorded === null || !this.#reserve(batchBytes(batch))) this.#queue.push(batch);
    else {
      const { header, rows } = batch;
      const body = Buffer.allocUnsafeSlow(batch.body.length);
      body.set(batch.body);
      batch.release();
      this.#recorded.push({ header, body, rows });
      if (this.#hasLeader) this.#queue.push({ header, body, rows, release: () => {} });
    }
  }

  /** false: the result is too large, or there is no room. */
  #reserve(bytes: number): boolean {
    const { store } = this.#options;
    const isLarge = this.#reserved + bytes > store.entryMax;
    if (!isLarge && store.reserve(bytes)) {
      this.#reserved += bytes;
      return true;
    }
    this.#giveUp(isLarge ? 'large' : 'failed');
    return false;
  }

  async #complete(source: BatchSource): Promise<void> {
    this.#ended = true;
    const batches = this.#recorded;
    this.#recorded = null;
    if (batches !== null) {
      const bytes = this.#reserved;
      this.#reserved = 0;
      this.#options.onKept({ schemaHeader: source.schemaHeader, batches }, bytes, this.#costMs);
      this.#options.onSettled('kept');
      this.#settle(true);
    }
    await this.#closeSource(source);
  }

  #fail(error: unknown): void {
    this.#error ??= error;
    this.#giveUp('failed');
  }

  /** What the first reader has not read yet stays counted until it leaves. */
  #giveUp(outcome: 'large' | 'failed'): void {
    if (this.#recorded === null) return;
    this.#recorded = null;
    this.#options.onSettled(outcome);
    this.#settle(false);
    this.#unreserve(this.#queue.reduce((bytes, batch) => bytes + batchBytes(batch), 0));
  }

  #unreserve(keep: number): void {
    const bytes = Math.max(0, this.#reserved - keep);
    this.#reserved -= bytes;
    if (bytes > 0) this.#options.store.unreserve(bytes);
  }

  /** To the end, or until nobody waits for it. */
  async #runOn(): Promise<void> {
    while (this.#source !== null && this.#recorded !== null && this.#followers > 0 && this.#closing === null) await this.#pull();
  }

  async #leaderLeaves(reason: unknown): Promise<void> {
    this.#hasLeader = false;
    for (const batch of this.#queue.splice(0)) batch.release();
    if (this.#recorded === null) this.#unreserve(0);
    await this.#endIfAlone(reason);
  }

  async #endIfAlone(reason: unknown): Promise<void> {
    if (this.#hasLeader || (this.#followers > 0 && this.#recorded !== null)) return;
    this.#closing ??= this.#close(reason);
    await this.#closing;
  }

  async #close(reason: unknown): Promise<void> {
    this.#work.abort(reason);
    this.#giveUp('failed');
    this.#unreserve(0);
    await this.#opening?.catch(() => {});
    if (this.#source !== null) await this.#closeSource(this.#source);
    await this.#pulling;
    for (const batch of this.#queue.splice(0)) batch.release();
  }

  #closeSource(source: BatchSource): Promise<void> {
    this.#sourceClosed ??= Promise.resolve(source[Symbol.asyncDispose]());
    return this.#sourceClosed;
  }
}
