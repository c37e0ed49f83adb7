/** Slots of shared memory that engine threads write batches into. Owned by the main thread; kept for reuse, freed when idle. */
import { addressOf } from './duckdb-c.ts';
import type { SlotMemory } from './jobs.ts';

/** Idle slots that are kept for the next batch. */
const KEEP = 8;
const IDLE_MS = 5_000;

export interface SlotPool {
  /** `bytes` above the normal size gives a one-off slot. */
  take(bytes?: number): SlotMemory;
  give(slot: SlotMemory): void;
  stats(): { readonly slotsInUse: number; readonly slotsIdle: number; readonly bytesInUse: number };
  clear(): void;
}

export function createSlotPool(slotBytes: number): SlotPool {
  const idle: SlotMemory[] = [];
  let slotsInUse = 0;
  let bytesInUse = 0;
  let timer: NodeJS.Timeout | null = null;
  const trim = (): void => {
    timer = null;
    idle.length = 0;
  };
  return {
    take: (bytes = slotBytes) => {
      const slot = (bytes <= slotBytes ? idle.pop() : undefined) ?? allocate(Math.max(bytes, slotBytes));
      slotsInUse++;
      bytesInUse += slot.memory.byteLength;
      return slot;
    },
    give: (slot) => {
      slotsInUse--;
      bytesInUse -= slot.memory.byteLength;
      if (slot.memory.byteLength === slotBytes && idle.length < KEEP) idle.push(slot);
      timer?.refresh();
      timer ??= setTimeout(trim, IDLE_MS).unref();
    },
    stats: () => ({ slotsInUse, slotsIdle: idle.length, bytesInUse }),
    clear: () => {
      if (timer !== null) clearTimeout(timer);
      trim();
    },
  };
}

function allocate(bytes: number): SlotMemory {
  const memory = new SharedArrayBuffer(bytes);
  return { memory, address: addressOf(Buffer.from(memory)) };
}
