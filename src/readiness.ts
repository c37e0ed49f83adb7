/** Whether this node should get anything new: it reaches the metadata, its storage answers, it is not shutting down. */

import type { Connection } from './files.ts';
import type { Logger } from './log.ts';
import { withinTime } from './waiting.ts';

export interface ReadinessOptions {
  /** Why the metadata can not be relied on any more; null = it can. */
  readonly metadataFault: () => string | null;
  /** What must answer: the connections that datasets use. */
  readonly connections: () => readonly Connection[];
  /** Rejects when it does not answer. */
  readonly reachable: (connection: Connection) => Promise<void>;
  /** How often the connections are tried, milliseconds. */
  readonly intervalMs: number;
  /** Longest wait for one, milliseconds. */
  readonly timeoutMs?: number;
  readonly logger: Logger;
}

export interface Readiness extends AsyncDisposable {
  /** In words, without names: for load balancers and people. Empty = ready. */
  faults(): readonly string[];
  /** Connections that do not answer. */
  unreachable(): number;
  /** Called with each change, from now on. */
  onChange(listener: (ready: boolean) => void): void;
  /** Nothing new may come, for good. */
  drain(): void;
  draining(): boolean;
}

const TICK_MS = 500;
const TIMEOUT_MS = 5_000;
/** A single failure may be the network's. */
const FAILURES = 2;

export function createReadiness(options: ReadinessOptions): Readiness {
  return new NodeReadiness(options);
}

class NodeReadiness implements Readiness {
  readonly #options: ReadinessOptions;
  readonly #listeners: ((ready: boolean) => void)[] = [];
  readonly #timer: NodeJS.Timeout;
  /** By connection name: failures on end. */
  readonly #failures = new Map<string, number>();
  #probing = false;
  #probedAtMs = Number.NEGATIVE_INFINITY;
  #draining = false;
  #ready = true;

  constructor(options: ReadinessOptions) {
    this.#options = options;
    this.#timer = setInterval(() => this.#tick(), Math.min(TICK_MS, options.intervalMs));
    this.#tick();
  }

  faults(): readonly string[] {
    if (this.#draining) return ['the server is shutting down'];
    const metadata = this.#options.metadataFault();
    const lost = this.unreachable();
    return [
      ...(metadata === null ? [] : [metadata]),
      ...(lost === 0 ? [] : [`the storage of ${lost} ${lost === 1 ? 'connection does' : 'connections do'} not answer`]),
    ];
  }

  unreachable(): number {
    return [...this.#failures.values()].filter((failures) => failures >= FAILURES).length;
  }

  onChange(listener: (ready: boolean) => void): void {
    this.#listeners.push(listener);
  }

  drain(): void {
    this.#draining = true;
    this.#compare();
  }

  draining(): boolean {
    return this.#draining;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
  }

  #tick(): void {
    this.#compare();
    if (this.#probing || performance.now() - this.#probedAtMs < this.#options.intervalMs) return;
    this.#probing = true;
    // Never rejects.
    void this.#probe().then(() => {
      this.#probing = false;
      this.#probedAtMs = performance.now();
      this.#compare();
    });
  }

  #compare(): void {
    const faults = this.faults();
    const ready = faults.length === 0;
    if (ready === this.#ready) return;
    this.#ready = ready;
    if (ready) this.#options.logger.info('this node serves again');
    else this.#options.logger.warn({ faults }, 'this node does not serve');
    for (const listener of this.#listeners) listener(ready);
  }

  async #probe(): Promise<void> {
    const connections = this.#connections();
    const names = new Set(connections.map(({ name }) => name));
    for (const name of this.#failures.keys()) if (!names.has(name)) this.#failures.delete(name);
    await Promise.all(connections.map((connection) => this.#try(connection)));
  }

  /** A policy set that is out of force names none. */
  #connections(): readonly Connection[] {
    try {
      return this.#options.connections();
    } catch {
      return [];
    }
  }

  async #try(connection: Connection): Promise<void> {
    const { reachable, timeoutMs = TIMEOUT_MS, logger } = this.#options;
    try {
      await withinTime(reachable(connection), timeoutMs);
      this.#failures.delete(connection.name);
    } catch (error) {
      const failures = (this.#failures.get(connection.name) ?? 0) + 1;
      this.#failures.set(connection.name, failures);
      if (failures === FAILURES) logger.error({ connection: connection.name, err: error }, 'a storage connection does not answer');
    }
  }
}
