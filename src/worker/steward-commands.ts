/** What REGISTER, REFRESH, PIN, UNPIN and SHOW do: the rights once more, then the part of the server that each is about. */

import type { Dataset, Principal, StewardCommand } from '../model.ts';
import { requireSteward, stewardDataset } from '../policy/index.ts';
import type { CacheEntry, CommandCall, CommandResult, DatasetReport, FleetEntry, Registration } from './types.ts';

/** Each belongs to the part that knows; every one may reject with its own errors. */
export interface StewardPorts {
  /** `caller` becomes the author of the change. */
  readonly register: (registration: Registration, caller: Principal, signal: AbortSignal) => Promise<DatasetReport>;
  readonly refresh: (dataset: Dataset, signal: AbortSignal) => Promise<DatasetReport>;
  readonly pin: (dataset: Dataset, pinned: boolean) => Promise<void>;
  readonly workers: () => Promise<readonly FleetEntry[]>;
  readonly cache: () => Promise<readonly CacheEntry[]>;
}

/** Rejects with policy.denied, dataset.unknown and as the ports do. */
export async function runStewardCommand(
  command: StewardCommand,
  { principal, policy: { snapshot, rights }, signal }: CommandCall,
  ports: StewardPorts,
): Promise<CommandResult> {
  requireSteward(command, rights);
  switch (command.kind) {
    case 'registerDataset':
      return { rows: [reportRow(await ports.register(command, principal, signal))] };
    case 'refreshDataset':
      return { rows: [reportRow(await ports.refresh(stewardDataset(command.table, snapshot), signal))] };
    case 'pin':
    case 'unpin':
      await ports.pin(stewardDataset(command.table, snapshot), command.kind === 'pin');
      return { count: 0 };
    case 'showWorkers':
      return { rows: (await ports.workers()).map(workerRow) };
    case 'showCache':
      return { rows: (await ports.cache()).map(cacheRow) };
  }
}

type Row = Extract<CommandResult, { rows: unknown }>['rows'][number];

function reportRow({ dataset, files, added, changed, removed, bytes, rows, note }: DatasetReport): Row {
  const counts = { files, added, changed, removed, bytes };
  return {
    dataset: `${dataset.schema}.${dataset.name}`,
    ...Object.fromEntries(Object.entries(counts).map(([name, count]) => [name, BigInt(count)])),
    rows: rows === null ? null : BigInt(rows),
    note,
  };
}

function workerRow({ location, cluster, zone, version, capacity, running, heartbeatAtMs, alive }: FleetEntry): Row {
  return {
    location,
    cluster,
    zone,
    version,
    capacity: BigInt(capacity),
    running: BigInt(running),
    heartbeat_at: heartbeatAtMs === null ? null : new Date(heartbeatAtMs),
    alive,
  };
}

function cacheRow({ worker, kind, object, bytes, rows, hits, lastUsedAtMs, pinned }: CacheEntry): Row {
  return {
    worker,
    kind,
    object,
    bytes: BigInt(bytes),
    rows: rows === null ? null : BigInt(rows),
    hits: BigInt(hits),
    last_used_at: lastUsedAtMs === null ? null : new Date(lastUsedAtMs),
    pinned,
  };
}
