/**
 * Ends queries before the operating system ends the process. The engine bounds most of its memory itself, but not the
 * values of one vector, nor what the allocator keeps; so resident memory is what counts here.
 */
import { SluiceError } from '../errors.ts';

export interface MemoryGuardOptions {
  readonly limitBytes: number;
  /** Resident memory of the process, bytes. */
  readonly residentBytes: () => number;
  /** Queries that hold memory now. */
  readonly running: () => number;
  /** The process grew by so many bytes since the last look. */
  readonly onGrowth: (bytes: number) => void;
  /** Ends one query; false when there is none. */
  readonly endOne: (reason: (which: 'largest' | 'newest') => SluiceError) => boolean;
  /** Told for each query that was ended. */
  readonly onEnded: (residentBytes: number) => void;
}

export interface MemoryGuard extends Disposable {
  /** Why no new query may begin now; null when it may. */
  closed(): SluiceError | null;
}

const INTERVAL_MS = 100;
/** Memory comes back with a delay; ending a second query at once would end two for one. */
const PAUSE_MS = 1000;
const GROWTH = 1 / 8;
const WHICH = { largest: 'which took most of it', newest: 'the newest' } as const;

export function createMemoryGuard(options: MemoryGuardOptions): MemoryGuard {
  const { limitBytes, residentBytes, running, onGrowth, endOne, onEnded } = options;
  /** What the process kept though nothing ran: it is reused, so only growth above it counts. */
  let keptBytes = 0;
  let above = false;
  let pausedUntilMs = 0;
  let lastBytes = residentBytes();
  const look = (): void => {
    const resident = residentBytes();
    if (resident > lastBytes) onGrowth(resident - lastBytes);
    lastBytes = resident;
    above = resident > limitBytes;
    if (!above) keptBytes = 0;
    else if (running() === 0) keptBytes = resident;
    const endsAt = keptBytes === 0 ? limitBytes : Math.max(limitBytes, keptBytes + limitBytes * GROWTH);
    if (resident <= endsAt || performance.now() < pausedUntilMs) return;
    if (
      !endOne((which) =>
        shortOfMemory(`the server ran short of memory and ended this query, ${WHICH[which]}; ask for less, or try again later`),
      )
    )
      return;
    pausedUntilMs = performance.now() + PAUSE_MS;
    onEnded(resident);
  };
  const timer = setInterval(look, INTERVAL_MS).unref();
  return {
    // One at a time while the process is full: were nobody let in, memory that the allocator keeps would shut the server for ever.
    closed: () => (above && running() > 0 ? shortOfMemory('the server is short of memory; try again later') : null),
    [Symbol.dispose]: () => clearInterval(timer),
  };
}

/** The engine's own limit and room for the rest of the process, but not more than the machine or its container has. */
export function residentLimit(engineLimitBytes: number, machineBytes: number): number {
  return Math.min(engineLimitBytes + HEADROOM_BYTES, Math.floor(machineBytes * MACHINE_SHARE));
}

const HEADROOM_BYTES = 2 * 1024 ** 3;
const MACHINE_SHARE = 0.9;

function shortOfMemory(message: string): SluiceError {
  return new SluiceError('limit.memory', message);
}
