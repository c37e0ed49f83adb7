/** Waiting that ends: with the promise, or with a signal or a time, whichever comes first. The work itself goes on. */

/** Rejects with the signal's reason; leaves no listener behind, unlike `Promise.race` with a lasting promise. */
export function orAbort<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason);
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}

/** Milliseconds. Rejects with a TimeoutError after them; keeps no process alive. */
export function withinTime<T>(promise: Promise<T>, ms: number): Promise<T> {
  return new Promise((resolve, reject) => {
    const late = Object.assign(new Error(`no answer within ${ms} ms`), { name: 'TimeoutError' });
    const timer = setTimeout(() => reject(late), ms).unref();
    promise.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
