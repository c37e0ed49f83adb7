/** An engine thread: takes one job at a time from the main thread, keeps no state between jobs. */
import { parentPort } from 'node:worker_threads';
import { copy } from './copy.ts';
import { freeCursor, openCursor } from './cursor.ts';
import { describe, openDatabase, parameters, query } from './database.ts';
import { api, destroy } from './duckdb-c.ts';
import { type Failure, type Job, JobError, type JobResults, type Reply } from './jobs.ts';
import { pull } from './pull.ts';
import { UnmappableType } from './read-types.ts';

parentPort?.on('message', ({ id, job }: { readonly id: number; readonly job: Job }) => {
  parentPort?.postMessage(answer(id, job));
});

function answer(id: number, job: Job): Reply {
  try {
    return { id, ok: true, result: run(job) };
  } catch (error) {
    return { id, ok: false, failure: toFailure(error) };
  }
}

function run(job: Job): JobResults[Job['kind']] {
  switch (job.kind) {
    case 'openDatabase':
      return openDatabase(job.setup);
    case 'closeDatabase':
      destroy(api.close, job.database);
      return null;
    case 'query':
      return query(job.connection, job.setup, job.sql, job.parameters);
    case 'describe':
      return describe(job.connection, job.setup, job.sql, job.form);
    case 'parameters':
      return parameters(job.connection, job.setup, job.sql);
    case 'open':
      return openCursor(job.connection, job.setup, job.sql, job.form);
    case 'copy':
      return copy(job.connection, job);
    case 'pull':
      return pull(job.cursor, job.slot, job.maxRows);
    case 'close':
      freeCursor(job.cursor);
      return null;
  }
}

function toFailure(error: unknown): Failure {
  if (error instanceof JobError) return error.failure;
  if (error instanceof UnmappableType) return { kind: 'type', column: error.column, type: error.type };
  return { kind: 'fault', text: error instanceof Error ? (error.stack ?? error.message) : String(error) };
}
