/** One engine per set of connections: the sandbox can not grow once locked, so a new set takes over while the old one drains (D7). */
import type { Engine, EngineStats } from '../engine/index.ts';
import type { Connection } from '../files.ts';
import type { EngineLease } from './types.ts';

export interface EnginePool extends AsyncDisposable {
  /** Holds the engine for these connections, starting it when there is none. */
  lease(connections: readonly Connection[]): Promise<EngineLease>;
  /** Engines for other connections end when their last lease is released. */
  retain(connections: readonly Connection[]): void;
  /** Of the engines that have started. */
  stats(): readonly EngineStats[];
}

/** What goes with an engine from its start to its end. */
export type Accompany = (engine: Engine, connections: readonly Connection[]) => Promise<AsyncDisposable>;

interface Slot {
  readonly engine: Promise<Engine>;
  /** Ends before the engine. */
  companion: AsyncDisposable | null;
  started: Engine | null;
  leases: number;
}

export function createEnginePool(start: (connections: readonly Connection[]) => Promise<Engine>, accompany?: Accompany): EnginePool {
  const slots = new Map<string, Slot>();
  let kept: string | null = null;
  const closeIdle = (): void => {
    for (const [key, slot] of slots) {
      if (slot.leases > 0 || key === kept || kept === null) continue;
      slots.delete(key);
      void dispose(slot);
    }
  };
  const open = (connections: readonly Connection[]): Slot => {
    const begin = async (): Promise<Engine> => {
      const engine = await start(connections);
      slot.companion = (await accompany?.(engine, connections)) ?? null;
      return engine;
    };
    const slot: Slot = { engine: Promise.resolve().then(begin), companion: null, started: null, leases: 0 };
    return slot;
  };
  return {
    lease: async (connections) => {
      const key = JSON.stringify(connections);
      const slot = slots.get(key) ?? open(connections);
      slots.set(key, slot);
      slot.leases++;
      let released = false;
      const release = (): void => {
        if (released) return;
        released = true;
        slot.leases--;
        closeIdle();
      };
      try {
        slot.started = await slot.engine;
        return { engine: slot.started, release };
      } catch (error) {
        slots.delete(key);
        throw error;
      }
    },
    retain: (connections) => {
      kept = JSON.stringify(connections);
      closeIdle();
    },
    stats: () => [...slots.values()].flatMap(({ started }) => (started === null ? [] : [started.stats()])),
    [Symbol.asyncDispose]: async () => {
      const all = [...slots.values()];
      slots.clear();
      await Promise.all(all.map(dispose));
    },
  };
}

async function dispose(slot: Slot): Promise<void> {
  const engine = await slot.engine.catch(() => null);
  await slot.companion?.[Symbol.asyncDispose]();
  await engine?.[Symbol.asyncDispose]();
}
