/** A TCP proxy that makes a network worse: slow, narrow, stalled, cut. Its port stays while what is behind it comes and goes. */
import { EventEmitter, once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

export interface Shape {
  /** Each way, milliseconds. */
  readonly latencyMs: number;
  /** Each way, of all connections together. */
  readonly bytesPerSecond: number;
  /** A connection is reset when so many bytes came back over it. */
  readonly cutAfterBytes: number;
  /** New connections are reset at once. */
  readonly refuse: boolean;
  /** Nothing is passed on; connections stay open. */
  readonly stall: boolean;
}

export const CLEAR: Shape = { latencyMs: 0, bytesPerSecond: Infinity, cutAfterBytes: Infinity, refuse: false, stall: false };

export interface ShapingProxy extends AsyncDisposable {
  readonly port: number;
  /** What is left out stays as it is. */
  shape(change: Partial<Shape>): void;
  /** Resets the connections that are open; how many there were. */
  cut(): number;
  /** Where new connections go from now on: a port on 127.0.0.1, null = nowhere. */
  retarget(port: number | null): void;
  /** Connections open now, connections that were reset by a cut, bytes that came back in all. */
  stats(): { readonly open: number; readonly cuts: number; readonly bytes: number };
}

export async function startShapingProxy(target: number | null = null): Promise<ShapingProxy> {
  const proxy = new TcpProxy(target);
  await proxy.listen();
  return proxy;
}

class TcpProxy implements ShapingProxy {
  readonly #server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => this.#accept(socket));
  readonly #open = new Set<Socket>();
  readonly #changes = new EventEmitter().setMaxListeners(0);
  readonly #lineFreeAtMs = { there: 0, back: 0 };
  #target: number | null;
  #shape: Shape = CLEAR;
  #cuts = 0;
  #bytes = 0;

  constructor(target: number | null) {
    this.#target = target;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async listen(): Promise<void> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
  }

  shape(change: Partial<Shape>): void {
    this.#shape = { ...this.#shape, ...change };
    this.#changes.emit('change');
  }

  cut(): number {
    const open = [...this.#open];
    for (const socket of open) socket.resetAndDestroy();
    this.#cuts += open.length;
    return open.length;
  }

  retarget(port: number | null): void {
    this.#target = port;
  }

  stats(): { readonly open: number; readonly cuts: number; readonly bytes: number } {
    return { open: this.#open.size, cuts: this.#cuts, bytes: this.#bytes };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.cut();
    this.shape(CLEAR);
    await closed;
  }

  #accept(client: Socket): void {
    client.on('error', () => {});
    if (this.#target === null || this.#shape.refuse) {
      client.resetAndDestroy();
      return;
    }
    const target = connect({ port: this.#target, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
    target.on('error', () => {});
    this.#open.add(client);
    client.once('close', () => {
      this.#open.delete(client);
      target.resetAndDestroy();
    });
    // Whoever dies takes the other side along.
    target.once('close', () => client.resetAndDestroy());
    void this.#carry(client, target, 'there');
    void this.#carry(target, client, 'back');
  }

  async #carry(from: Socket, to: Socket, way: 'there' | 'back'): Promise<void> {
    let bytes = 0;
    let lastMs = 0;
    try {
      for await (const chunk of from.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
        await this.#delay(chunk.length, way, lastMs);
        lastMs = Date.now();
        bytes += chunk.length;
        if (way === 'back') this.#bytes += chunk.length;
        const over = way === 'back' ? bytes - this.#shape.cutAfterBytes : 0;
        const sent = over > 0 ? chunk.subarray(0, Math.max(0, chunk.length - over)) : chunk;
        if (!to.write(sent)) await drained(to);
        if (over > 0) {
          this.#cuts++;
          return void to.resetAndDestroy();
        }
      }
      to.end();
    } catch {
      to.resetAndDestroy();
    }
  }

  /** Pieces of one burst wait for the latency once. */
  async #delay(bytes: number, way: 'there' | 'back', lastMs: number): Promise<void> {
    const { latencyMs, bytesPerSecond } = this.#shape;
    const now = Date.now();
    const lineFreeAtMs = Math.max(now, this.#lineFreeAtMs[way]) + (bytes * 1000) / bytesPerSecond;
    this.#lineFreeAtMs[way] = lineFreeAtMs;
    const waitMs = lineFreeAtMs - now + (now - lastMs < latencyMs ? 0 : latencyMs);
    if (waitMs >= 1) await sleep(waitMs);
    while (this.#shape.stall) await once(this.#changes, 'change');
  }
}

/** Or closed: then writing goes nowhere. */
async function drained(socket: Socket): Promise<void> {
  const heard = new AbortController();
  const { signal } = heard;
  await Promise.race([once(socket, 'drain', { signal }), once(socket, 'close', { signal })]).finally(() => heard.abort());
}
