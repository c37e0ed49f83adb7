/** A TCP load balancer: connections go in turns to the backends that say SERVING to gRPC health checks; one that does not connect is passed over. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, credentials } from '@grpc/grpc-js';

export interface LoadBalancer extends AsyncDisposable {
  readonly port: number;
  /** Ports on 127.0.0.1 from now on; connections that are open stay. */
  use(backends: readonly number[]): void;
  /** Those that get connections now. */
  healthy(): readonly number[];
}

export interface LoadBalancerOptions {
  readonly host?: string;
  /** 0 takes a free one. */
  readonly port?: number;
  readonly probeMs?: number;
}

/** Rejects when the port is taken. */
export async function startLoadBalancer({ host = '127.0.0.1', port = 0, probeMs = 250 }: LoadBalancerOptions = {}): Promise<LoadBalancer> {
  const balancer = new RoundRobin(probeMs);
  await balancer.listen(host, port);
  return balancer;
}

/** A busy backend is not a dead one: that refuses connections. */
const PROBE_DEADLINE_MS = 15_000;

class RoundRobin implements LoadBalancer {
  readonly #server = createServer({ noDelay: true }, (client) => void this.#serve(client));
  readonly #open = new Set<Socket>();
  readonly #closing = new AbortController();
  readonly #probeMs: number;
  readonly #probes: Promise<void>;
  #backends: readonly Backend[] = [];
  #turn = 0;

  constructor(probeMs: number) {
    this.#probeMs = probeMs;
    this.#probes = this.#probe();
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async listen(host: string, port: number): Promise<void> {
    this.#server.listen(port, host);
    await once(this.#server, 'listening');
  }

  use(ports: readonly number[]): void {
    const known = new Map(this.#backends.map((backend) => [backend.port, backend]));
    for (const [port, backend] of known) if (!ports.includes(port)) backend.close();
    this.#backends = ports.map((port) => known.get(port) ?? new Backend(port));
    for (const backend of this.#backends) void backend.check();
  }

  healthy(): readonly number[] {
    return this.#backends.filter(({ healthy }) => healthy).map(({ port }) => port);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    const closed = once(this.#server, 'close');
    this.#server.close();
    for (const socket of this.#open) socket.destroy();
    await Promise.all([closed, this.#probes]);
    this.use([]);
  }

  async #serve(client: Socket): Promise<void> {
    client.on('error', () => {}).once('close', () => this.#open.delete(client));
    this.#open.add(client);
    for (const backend of this.#inTurn()) {
      const server = await dial(backend.port);
      if (server === null) backend.healthy = false;
      else return join(client, server);
    }
    client.resetAndDestroy();
  }

  #inTurn(): readonly Backend[] {
    const healthy = this.#backends.filter((backend) => backend.healthy);
    const start = this.#turn++ % Math.max(1, healthy.length);
    return [...healthy.slice(start), ...healthy.slice(0, start)];
  }

  async #probe(): Promise<void> {
    const { signal } = this.#closing;
    while (!signal.aborted) {
      await Promise.all(this.#backends.map((backend) => backend.check()));
      await sleep(this.#probeMs, undefined, { signal }).catch(() => {});
    }
  }
}

class Backend {
  readonly port: number;
  healthy = false;
  readonly #client: Client;

  constructor(port: number) {
    this.port = port;
    this.#client = new Client(`127.0.0.1:${port}`, credentials.createInsecure(), {
      'grpc.use_local_subchannel_pool': 1,
      'grpc.initial_reconnect_backoff_ms': 100,
      'grpc.max_reconnect_backoff_ms': 500,
    });
  }

  /** grpc.health.v1: an empty request asks for the server as a whole; field 1 = 1 is SERVING. */
  check(): Promise<void> {
    const same = (bytes: Buffer): Buffer => bytes;
    const options = { deadline: Date.now() + PROBE_DEADLINE_MS };
    return new Promise((resolve) => {
      this.#client.makeUnaryRequest('/grpc.health.v1.Health/Check', same, same, Buffer.alloc(0), options, (error, answer) => {
        this.healthy = error === null && answer?.equals(Buffer.from([8, 1])) === true;
        resolve();
      });
    });
  }

  close(): void {
    this.#client.close();
  }
}

async function dial(port: number): Promise<Socket | null> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  try {
    await once(socket, 'connect');
    return socket;
  } catch {
    return null;
  }
}

/** Whoever dies takes the other side along. */
function join(client: Socket, server: Socket): void {
  server.on('error', () => client.destroy()).once('close', () => client.destroy());
  client.once('close', () => server.destroy());
  if (client.destroyed) return void server.destroy();
  client.pipe(server);
  server.pipe(client);
}
