/**
 * Which parameters were last bound to a prepared handle. Binding gives a new handle, which clients are told to use from then on;
 * for those that stay with the old one this server remembers, within bounds, what it was exchanged for.
 */
import { createHash } from 'node:crypto';

export interface Bindings {
  remember(subject: string, handle: Uint8Array, bound: Uint8Array): void;
  /** The handle that carries the last binding; the handle itself when nothing is remembered. */
  latest(subject: string, handle: Uint8Array): Uint8Array;
  forget(subject: string, handle: Uint8Array): void;
}

export interface BindingLimits {
  readonly entries: number;
  /** Of all bound handles together. */
  readonly bytes: number;
  readonly ttlMs: number;
}

const DEFAULT_LIMITS: BindingLimits = { entries: 10_000, bytes: 64 * 1024 ** 2, ttlMs: 3600_000 };

interface Entry {
  readonly bound: Uint8Array;
  readonly expiresAtMs: number;
}

export function createBindings(now: () => number, limits: BindingLimits = DEFAULT_LIMITS): Bindings {
  // In the order of use, the least recent first.
  const entries = new Map<string, Entry>();
  let bytes = 0;
  const drop = (key: string): void => {
    bytes -= entries.get(key)?.bound.length ?? 0;
    entries.delete(key);
  };
  const add = (key: string, entry: Entry): void => {
    drop(key);
    entries.set(key, entry);
    bytes += entry.bound.length;
    for (const oldest of entries.keys()) {
      if (entries.size <= limits.entries && bytes <= limits.bytes) break;
      drop(oldest);
    }
  };
  return {
    remember: (subject, handle, bound) => add(keyOf(subject, handle), { bound, expiresAtMs: now() + limits.ttlMs }),
    latest: (subject, handle) => {
      const key = keyOf(subject, handle);
      const entry = entries.get(key);
      if (entry === undefined) return handle;
      if (entry.expiresAtMs <= now()) {
        drop(key);
        return handle;
      }
      add(key, entry);
      return entry.bound;
    },
    forget: (subject, handle) => drop(keyOf(subject, handle)),
  };
}

function keyOf(subject: string, handle: Uint8Array): string {
  return createHash('sha256').update(JSON.stringify(subject)).update(handle).digest('base64');
}
