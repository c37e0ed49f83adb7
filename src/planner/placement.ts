/**
 * Which worker serves which task: rendezvous hashing (Thaler and Ravishankar 1998), weighted by capacity. A task goes where it went
 * before as long as that worker lives, so that caches stay warm; when the fleet changes, only the tasks of the changed worker move.
 */
import { createHash } from 'node:crypto';
import type { QueryTask } from '../model.ts';

/** What placement knows of a worker. */
export interface PlacementNode {
  readonly id: string;
  /** Flight URI as clients reach it. */
  readonly location: string;
  readonly capacity: number;
  /** Streams that it serves now, as far as is known. */
  readonly running?: number;
}

const SCALE = 2 ** 48;

/** What a task reads, whoever asks: the same for every principal, so that they share a worker's caches. */
export function placementKey(task: QueryTask): string {
  const first = task.catalog.scans?.find(({ parts }) => parts.length > 0)?.parts[0]?.files[0];
  return JSON.stringify([...task.datasets, first?.path ?? '']);
}

/** All workers, best first; `key` names what the task reads. Those at capacity come behind all others (bounded load). */
export function rank<Node extends PlacementNode>(key: string, workers: readonly Node[]): readonly Node[] {
  const scored = workers.map((worker) => ({ worker, full: Number(isFull(worker)), score: scoreOf(key, worker) }));
  scored.sort((a, b) => a.full - b.full || b.score - a.score || (a.worker.id < b.worker.id ? -1 : 1));
  return scored.map(({ worker }) => worker);
}

function isFull({ capacity, running = 0 }: PlacementNode): boolean {
  return running >= Math.max(capacity, 1);
}

/** Weighted rendezvous: -capacity / ln(u) with u uniform in (0, 1) keeps each worker's share proportional to its capacity. */
function scoreOf(key: string, { location, capacity }: PlacementNode): number {
  const hash = createHash('sha256').update(`${key.length} ${key} ${location}`).digest();
  const uniform = (hash.readUIntBE(0, 6) + 0.5) / SCALE;
  return -Math.max(capacity, 1) / Math.log(uniform);
}

/** Locations of one endpoint: the chosen worker, a second one, then the planner itself (fault tolerance before the first batch). */
export function locationsOf(key: string, workers: readonly PlacementNode[], self: string | null): readonly string[] {
  const chosen = rank(key, workers)
    .slice(0, 2)
    .map(({ location }) => location);
  if (chosen.length === 0) return [];
  return self === null || chosen.includes(self) ? chosen : [...chosen, self];
}
