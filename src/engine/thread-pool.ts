/**
 * A small pool of engine threads over one first-in-first-out queue. A job is one bounded step (one batch, one
 * statement), so an open stream that nobody reads holds no thread. Threads start on demand. A job that is overdue keeps
 * its thread until it ends; another one takes its place meanwhile, up to as many again.
 */
import { Worker } from 'node:worker_threads';
import { type Job, JobError, type JobResults, type Reply } from './jobs.ts';

export interface RunOptions {
  /** Ahead of what waits. */
  readonly first?: boolean;
  readonly overdue?: {
    /** After the job's start. */
    readonly ms: number;
    /** The job goes on; its promise settles when it ends. */
    readonly notify: () => void;
  };
}

export interface ThreadPool extends AsyncDisposable {
  /** `make` is called when a thread is free for it; what it throws rejects. Rejects with JobError. */
  run<K extends Job['kind']>(make: () => Extract<Job, { kind: K }>, options?: RunOptions): Promise<JobResults[K]>;
  stats(): { readonly threads: number; readonly queued: number; readonly running: number };
}

interface Task {
  readonly make: () => Job;
  readonly overdue: RunOptions['overdue'];
  readonly resolve: (result: JobResults[Job['kind']]) => void;
  readonly reject: (error: unknown) => void;
}

interface Thread {
  readonly worker: Worker;
  task: Task | null;
  timer: NodeJS.Timeout | null;
  isOverdue: boolean;
  jobs: number;
}

const CLOSED: JobError = new JobError({ kind: 'fault', text: 'the engine is closed' });

export function createThreadPool(maxThreads: number): ThreadPool {
  const queue: Task[] = [];
  const threads = new Set<Thread>();
  let closed = false;

  const dispatch = (): void => {
    while (queue.length > 0) {
      const thread = idleThread() ?? (mayStart() ? startThread() : null);
      if (thread === null) return;
      const task = queue.shift();
      if (task !== undefined) give(thread, task, dispatch);
    }
  };
  const idleThread = (): Thread | null => {
    for (const thread of threads) if (thread.task === null) return thread;
    return null;
  };
  const onTime = (): number => [...threads].filter((thread) => !thread.isOverdue).length;
  const mayStart = (): boolean => onTime() < maxThreads && threads.size < 2 * maxThreads;
  const startThread = (): Thread => {
    const worker = new Worker(new URL('./thread.js', import.meta.url));
    const thread: Thread = { worker, task: null, timer: null, isOverdue: false, jobs: 0 };
    threads.add(thread);
    worker.unref();
    worker.on('message', (reply: Reply) => {
      settle(thread, reply);
      if (onTime() > maxThreads) {
        threads.delete(thread);
        void worker.terminate();
      }
      dispatch();
    });
    worker.on('error', (error) => lose(thread, error));
    worker.on('exit', () => lose(thread, new Error('engine thread ended')));
    return thread;
  };
  const lose = (thread: Thread, error: Error): void => {
    threads.delete(thread);
    const task = takeTask(thread);
    task?.reject(new JobError({ kind: 'fault', text: String(error) }));
    dispatch();
  };

  return {
    run: (make, options) =>
      new Promise((resolve, reject) => {
        if (closed) {
          reject(CLOSED);
          return;
        }
        // The reply's type follows the job's kind; the queue holds all kinds.
        const task: Task = { make, overdue: options?.overdue, resolve: resolve as Task['resolve'], reject };
        if (options?.first === true) queue.unshift(task);
        else queue.push(task);
        dispatch();
      }),
    stats: () => ({ threads: threads.size, queued: queue.length, running: [...threads].filter((thread) => thread.task !== null).length }),
    [Symbol.asyncDispose]: async () => {
      closed = true;
      for (const task of queue.splice(0)) task.reject(CLOSED);
      await Promise.all([...threads].map((thread) => thread.worker.terminate()));
    },
  };
}

/** The process stays alive while a job runs, not for an idle thread. */
function give(thread: Thread, task: Task, dispatch: () => void): void {
  let job: Job;
  try {
    job = task.make();
  } catch (error) {
    task.reject(error);
    return;
  }
  thread.task = task;
  thread.jobs++;
  const { overdue } = task;
  if (overdue !== undefined)
    thread.timer = setTimeout(() => {
      thread.isOverdue = true;
      overdue.notify();
      dispatch();
    }, overdue.ms);
  thread.worker.ref();
  thread.worker.postMessage({ id: thread.jobs, job });
}

function takeTask(thread: Thread): Task | null {
  const { task } = thread;
  if (thread.timer !== null) clearTimeout(thread.timer);
  thread.task = null;
  thread.timer = null;
  thread.isOverdue = false;
  return task;
}

function settle(thread: Thread, reply: Reply): void {
  if (reply.id !== thread.jobs) return;
  const task = takeTask(thread);
  if (task === null) return;
  thread.worker.unref();
  if (reply.ok) task.resolve(reply.result);
  else task.reject(new JobError(reply.failure));
}
