/**
 * Queries that are being planned, kept on this node until somebody polls for them. Losing one is harmless: the retry
 * descriptor holds the command, and planning it again has no side effect.
 */
import { randomUUID } from 'node:crypto';
import { fail } from '../errors.ts';
import type { Plan } from '../planner/index.ts';

export interface Poll {
  readonly id: string;
  readonly plan: Promise<Plan>;
}

export interface Polls {
  /** Rejects later work of the same caller with limit.busy when too many are pending. */
  start(subject: string, work: () => Promise<Plan>): Poll;
  /** undefined when it is not of this node, or no longer. Throws request.cancelled. */
  find(subject: string, id: string): Poll | undefined;
  /** Forgets it. */
  drop(id: string): void;
  /** Keeps the answer a little, for a caller who did not get it. */
  delivered(id: string): void;
  /** Nobody gets the plan; false when there is nothing to cancel. */
  cancel(subject: string, id: string): boolean;
}

export interface PollLimits {
  readonly perPrincipal: number;
  readonly total: number;
  /** An abandoned one is forgotten so long after its start. */
  readonly ttlMs: number;
  readonly deliveredTtlMs: number;
}

const DEFAULT_LIMITS: PollLimits = { perPrincipal: 16, total: 1024, ttlMs: 600_000, deliveredTtlMs: 60_000 };

interface Entry extends Poll {
  readonly subject: string;
  endsAtMs: number;
  pending: boolean;
  cancelled: boolean;
}

export function createPolls(now: () => number, limits: PollLimits = DEFAULT_LIMITS): Polls {
  const entries = new Map<string, Entry>();
  const own = (subject: string, id: string): Entry | undefined => {
    const entry = entries.get(id);
    return entry?.subject === subject ? entry : undefined;
  };
  return {
    start: (subject, work) => {
      for (const entry of entries.values()) if (entry.endsAtMs <= now()) entries.delete(entry.id);
      const owned = [...entries.values()].filter((entry) => entry.subject === subject);
      const planning = owned.filter((entry) => entry.pending).length;
      if (planning >= limits.perPrincipal) fail('limit.busy', `${planning} of your queries are being planned; poll for them first`);
      // Of what is planned and not asked for, the oldest makes room.
      const settled = owned.filter((entry) => !entry.pending);
      for (const entry of settled.slice(0, Math.max(0, settled.length + 1 - limits.perPrincipal))) entries.delete(entry.id);
      if (entries.size >= limits.total) fail('limit.busy', 'too many queries are being planned; try again later');
      const entry: Entry = { id: randomUUID(), subject, endsAtMs: now() + limits.ttlMs, plan: work(), pending: true, cancelled: false };
      const settle = (): void => {
        entry.pending = false;
      };
      // Whoever polls meets the failure.
      entry.plan.then(settle, settle);
      entries.set(entry.id, entry);
      return entry;
    },
    find: (subject, id) => {
      const entry = own(subject, id);
      return entry?.cancelled === true ? fail('request.cancelled', 'this query was cancelled') : entry;
    },
    drop: (id) => void entries.delete(id),
    delivered: (id) => {
      const entry = entries.get(id);
      if (entry !== undefined) entry.endsAtMs = now() + limits.deliveredTtlMs;
    },
    cancel: (subject, id) => {
      const entry = own(subject, id);
      if (entry !== undefined) entry.cancelled = true;
      return entry !== undefined;
    },
  };
}
