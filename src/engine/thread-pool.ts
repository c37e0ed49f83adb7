/**
 * A small pool of engine threads over one first-in-first-out queue. A job is one bounded step (one batch, one
 * statement), so an open stream that nobody reads holds no thread. Threads start on demand.
 */
import { Worker } from 'node:worker_threads';
import { type Job, JobError, type JobResults, type Reply } from './jobs.ts';

export interface ThreadPool extends AsyncDisposable {
  /** `make` is called when a thread is free for it; what it throws rejects. Rejects with JobError. */
  run<K extends Job['kind']>(make: () => Extract<Job, { kind: K }>, options?: { readonly first?: boolean }): Promise<JobResults[K]>;
  stats(): { readonly threads: number; readonly queued: number; readonly running: number };
}

interface Task {
  readonly make: () => Job;
  readonly resolve: (result: JobResults[Job['kind']]) => void;
  readonly reject: (error: unknown) => void;
}

interface Thread {
  readonly worker: Worker;
  task: Task | null;
  jobs: number;
}

export function createThreadPool(maxThreads: number): ThreadPool {
  const queue: Task[] = [];
  const threads = new Set<Thread>();

  const dispatch = (): void => {
    while (queue.length > 0) {
      const thread = idleThread() ?? (threads.size < maxThreads ? startThread() : null);
      if (thread === null) return;
      const task = queue.shift();
      if (task !== undefined) give(thread, task);
    }
  };
  const idleThread = (): Thread | null => {
    for (const thread of threads) if (thread.task === null) return thread;
    return null;
  };
  const startThread = (): Thread => {
    const worker = new Worker(new URL('./thread.js', import.meta.url));
    const thread: Thread = { worker, task: null, jobs: 0 };
    threads.add(thread);
    worker.unref();
    worker.on('message', (reply: Reply) => {
      settle(thread, reply);
      dispatch();
    });
    worker.on('error', (error) => lose(thread, error));
    worker.on('exit', () => lose(thread, new Error('engine thread ended')));
    return thread;
  };
  const lose = (thread: Thread, error: Error): void => {
    threads.delete(thread);
    const task = thread.task;
    thread.task = null;
    task?.reject(new JobError({ kind: 'fault', text: String(error) }));
    dispatch();
  };

  return {
    run: (make, options) =>
      new Promise((resolve, reject) => {
        // The reply's type follows the job's kind; the queue holds all kinds.
        const task: Task = { make, resolve: resolve as Task['resolve'], reject };
        if (options?.first === true) queue.unshift(task);
        else queue.push(task);
        dispatch();
      }),
    stats: () => ({ threads: threads.size, queued: queue.length, running: [...threads].filter((thread) => thread.task !== null).length }),
    [Symbol.asyncDispose]: async () => {
      for (const task of queue.splice(0)) task.reject(new JobError({ kind: 'fault', text: 'engine closed' }));
      await Promise.all([...threads].map((thread) => thread.worker.terminate()));
    },
  };
}

/** The process stays alive while a job runs, not for an idle thread. */
function give(thread: Thread, task: Task): void {
  let job: Job;
  try {
    job = task.make();
  } catch (error) {
    task.reject(error);
    return;
  }
  thread.task = task;
  thread.jobs++;
  thread.worker.ref();
  thread.worker.postMessage({ id: thread.jobs, job });
}

function settle(thread: Thread, reply: Reply): void {
  const task = thread.task;
  if (task === null || reply.id !== thread.jobs) return;
  thread.task = null;
  thread.worker.unref();
  if (reply.ok) task.resolve(reply.result);
  else task.reject(new JobError(reply.failure));
}
