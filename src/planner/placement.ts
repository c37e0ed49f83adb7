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

/** What a task reads: the same for everybody who reads the same files, so that they share a worker's caches. */
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

/**
 * Locations of each endpoint of one plan: the chosen worker, a second one, then the planner itself (fault tolerance before the first
 * batch). No worker is chosen for more than its share of the endpoints, by capacity, so that one scan keeps all of them busy
 * (rendezvous with bounded loads). `keys`: what each task reads.
 */
export function locationsOf(
  keys: readonly string[],
  workers: readonly PlacementNode[],
  self: string | null,
): readonly (readonly string[])[] {
  const free = workers.filter((worker) => !isFull(worker));
  const share = shareOf(keys.length, free.length > 0 ? free : workers);
  return keys.map((key) => {
    const ranked = rank(key, workers);
    const first = ranked.find(({ id }) => (share.get(id) ?? 0) > 0);
    if (first === undefined) return [];
    share.set(first.id, (share.get(first.id) ?? 0) - 1);
    const second = ranked.find((worker) => worker !== first);
    const chosen = [first.location, ...(second === undefined ? [] : [second.location])];
    return self === null || chosen.includes(self) ? chosen : [...chosen, self];
  });
}

/** How many of `count` tasks each worker may take; together at least all. */
function shareOf(count: number, workers: readonly PlacementNode[]): Map<string, number> {
  const weight = ({ capacity }: PlacementNode): number => Math.max(capacity, 1);
  const total = workers.reduce((sum, worker) => sum + weight(worker), 0);
  return new Map(workers.map((worker) => [worker.id, Math.ceil((count * weight(worker)) / total)]));
}
