/** Data plane: sealed ticket → record batches. Decides nothing. Errors: ticket.*, policy.changed, limit.*, sql.runtime, storage.*. */
export { type Admission, createAdmission } from './admission.ts';
export { type CommandPorts, createCommandRunner } from './commands.ts';
export { type CredentialPorts, keepAuthorized } from './credentials.ts';
export { createEnginePool, type EnginePool } from './engine-pool.ts';
export { createHotTables, type HotTables } from './hot-tables.ts';
export { createIngest } from './ingest.ts';
export { createMemoryGuard, type MemoryGuard, residentLimit } from './memory-guard.ts';
export { createPins, openPinFile, type Pins } from './pins.ts';
export { createQueryLimits, type QueryLimits } from './query-limits.ts';
export { createResultCache, type ResultCache } from './result-cache.ts';
export { openResultDisk } from './result-disk.ts';
export { createResultStore } from './result-store.ts';
export type { HeldRelation, ScanPorts } from './scans.ts';
export type { StewardPorts } from './steward-commands.ts';
export type {
  CacheEntry,
  CommandResult,
  CommandRunner,
  DatasetReport,
  EngineLease,
  FleetEntry,
  IngestRequest,
  OpenedTask,
  PolicyInForce,
  Redeemed,
  Registration,
  Worker,
} from './types.ts';
export { createWorker, type WorkerOptions } from './worker.ts';
