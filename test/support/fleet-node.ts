/** One node of a fleet: a server process that can die and come back, its state directory, its numbers. */
import { mkdirSync } from 'node:fs';
import { parseMetrics, type Scrape } from './metrics.ts';
import { type ServerProcess, startServerProcess } from './server-process.ts';
import { type ShapingProxy, startShapingProxy } from './shaping-proxy.ts';

export interface FleetNodeOptions {
  readonly name: string;
  /** Made. */
  readonly stateDirectory: string;
  readonly settings: Readonly<Record<string, string>>;
  /** Clients and planners reach it through a shaping proxy, whose port stays when the process is another one. */
  readonly shaped: boolean;
}

export class FleetNode implements AsyncDisposable {
  readonly name: string;
  readonly #options: FleetNodeOptions;
  readonly #link: ShapingProxy | null;
  #process: ServerProcess | null = null;

  static async start(options: FleetNodeOptions): Promise<FleetNode> {
    mkdirSync(options.stateDirectory, { recursive: true });
    const node = new FleetNode(options, options.shaped ? await startShapingProxy() : null);
    try {
      await node.start();
    } catch (error) {
      await node[Symbol.asyncDispose]();
      throw error;
    }
    return node;
  }

  private constructor(options: FleetNodeOptions, link: ShapingProxy | null) {
    this.name = options.name;
    this.#options = options;
    this.#link = link;
  }

  /** Throws when there is none. */
  get link(): ShapingProxy {
    if (this.#link === null) throw new Error(`${this.name} has no shaping proxy`);
    return this.#link;
  }

  /** Throws while it is down. */
  get process(): ServerProcess {
    if (this.#process === null) throw new Error(`${this.name} is down`);
    return this.#process;
  }

  get up(): boolean {
    return this.#process !== null;
  }

  /** Its own port; another one after each start. */
  get port(): number {
    return this.process.port;
  }

  /** As endpoints name it. */
  get location(): string {
    return `grpc://127.0.0.1:${this.#link?.port ?? this.port}`;
  }

  /** `extra` settings count for this start only. */
  async start(extra: Readonly<Record<string, string>> = {}): Promise<void> {
    const { settings, stateDirectory } = this.#options;
    this.#process = await startServerProcess({
      SLUICE_HTTP_LISTEN: '127.0.0.1:0',
      ...(this.#link === null ? {} : { SLUICE_ADVERTISE: this.location }),
      ...settings,
      SLUICE_STATE_DIR: stateDirectory,
      ...extra,
    });
    this.#link?.retarget(this.#process.port);
  }

  /** As by `kill -9`: returns when it is gone. */
  async kill(): Promise<void> {
    const { child } = this.process;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    this.#down();
    child.kill('SIGKILL');
    await gone;
  }

  /** As an orchestrator ends it: SIGTERM, and time to drain. */
  async stop(): Promise<void> {
    const process = this.#process;
    this.#down();
    await process?.[Symbol.asyncDispose]();
  }

  /** Rejects while it is down. */
  async scrape(): Promise<Scrape> {
    return parseMetrics(await (await fetch(`http://127.0.0.1:${this.process.httpPort}/metrics`)).text());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    await this.#link?.[Symbol.asyncDispose]();
  }

  #down(): void {
    this.#process = null;
    this.#link?.retarget(null);
  }
}
