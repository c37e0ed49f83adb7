/** Data plane: sealed ticket → record batches. Decides nothing. Errors: ticket.*, policy.changed, limit.*, sql.runtime, storage.*. */
export { createEnginePool, type EnginePool } from './engine-pool.ts';
export type { OpenedTask, Worker } from './types.ts';
export { createWorker, type EngineLease, type WorkerOptions } from './worker.ts';
