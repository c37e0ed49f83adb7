/** Data plane: sealed ticket → record batches. Decides nothing. Errors: ticket.*, policy.changed, limit.*, sql.runtime, storage.*. */
export { type Admission, createAdmission } from './admission.ts';
export { type CommandPorts, createCommandRunner } from './commands.ts';
export { createEnginePool, type EnginePool } from './engine-pool.ts';
export { createIngest } from './ingest.ts';
export { createMemoryGuard, type MemoryGuard, residentLimit } from './memory-guard.ts';
export { createQueryLimits, type QueryLimits } from './query-limits.ts';
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
