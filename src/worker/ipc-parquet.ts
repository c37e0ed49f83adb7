/** One client's Arrow streams as Parquet files, read by a thread of their own that is ended when it misbehaves. */
import { Worker } from 'node:worker_threads';
import { fail } from '../errors.ts';
import type { IpcReply } from './ipc-thread.ts';

export type Converted = Extract<IpcReply, { kind: 'parquet' }>;

export interface IpcConverter extends AsyncDisposable {
  /** One whole stream at a time. Rejects with request.malformed, sql.type, request.cancelled. */
  convert(stream: Uint8Array, signal: AbortSignal): Promise<Converted>;
}

export function createIpcConverter(timeoutMs: number): IpcConverter {
  const thread = new Worker(new URL('./ipc-thread.js', import.meta.url), { resourceLimits: { maxOldGenerationSizeMb: 256 } });
  // Its end is what a waiting `convert` sees; without one there is nobody to tell.
  thread.on('error', () => {});
  return {
    convert: async (stream, signal) => {
      signal.throwIfAborted();
      const reply = await ask(thread, stream, timeoutMs, signal);
      if (reply.kind === 'fault')
        fail('request.malformed', 'the rows are not an Arrow stream that can be stored: send valid, uncompressed batches', reply.text);
      if (reply.kind === 'type')
        fail(
          'sql.type',
          `column ${JSON.stringify(reply.column)} has the Arrow type ${reply.type}, which can not be stored: send another one`,
        );
      return reply;
    },
    [Symbol.asyncDispose]: async () => {
      await thread.terminate();
    },
  };
}

function ask(thread: Worker, stream: Uint8Array, timeoutMs: number, signal: AbortSignal): Promise<IpcReply> {
  return new Promise((resolve, reject) => {
    const fault = (text: string): void => finish({ kind: 'fault', text });
    const finish = (reply: IpcReply): void => {
      if (signal.aborted) reject(signal.reason);
      clearTimeout(timer);
      thread.off('message', finish).off('error', onError).off('exit', onExit);
      signal.removeEventListener('abort', onAbort);
      if (reply.kind === 'fault') void thread.terminate();
      resolve(reply);
    };
    const onError = (error: unknown): void => fault(String(error));
    const onExit = (): void => fault('the thread ended');
    const onAbort = (): void => fault('cancelled');
    const timer = setTimeout(() => fault(`no answer within ${timeoutMs} ms`), timeoutMs);
    thread.on('message', finish).on('error', onError).on('exit', onExit);
    signal.addEventListener('abort', onAbort, { once: true });
    thread.postMessage(stream);
  });
}
