/** gRPC health checks (grpc.health.v1) for load balancers and orchestrators. Nobody signs in; nothing is told but up or down. */
import { fail } from '../errors.ts';
import { decodeHealthRequest, encodeHealthResponse, type ServingStatus } from '../wire/index.ts';
import type { Rpc, RpcHandler } from './rpc.ts';

export interface Health {
  readonly methods: Readonly<Record<'Check' | 'Watch', RpcHandler>>;
  /** From now on NOT_SERVING; who watches is told, and its stream ends. */
  stop(): void;
}

/** Strangers may hold these open. */
const WATCHERS_MAX = 1000;

/** `services`: full names that are asked about beside the server as a whole. */
export function createHealth(services: readonly string[]): Health {
  const known: ReadonlySet<string> = new Set(['', ...services]);
  const watchers = new Set<() => void>();
  let stopped = false;
  let open = 0;
  const statusOf = (service: string): ServingStatus => {
    if (!known.has(service)) return 'SERVICE_UNKNOWN';
    return stopped ? 'NOT_SERVING' : 'SERVING';
  };
  const check = async (rpc: Rpc): Promise<void> => {
    const status = statusOf(decodeHealthRequest(await rpc.request()));
    if (status === 'SERVICE_UNKNOWN')
      fail('service.unknown', 'there is no such service here; leave the name empty for the server as a whole');
    await rpc.send(encodeHealthResponse(status));
  };
  const watch = async (rpc: Rpc): Promise<void> => {
    const service = decodeHealthRequest(await rpc.request());
    if (open >= WATCHERS_MAX) fail('limit.busy', `${WATCHERS_MAX} watchers are connected, the most there may be; use Check`);
    open++;
    try {
      await tellUntilStopped(rpc, service);
    } finally {
      open--;
    }
    fail('server.unavailable', 'the server is shutting down; watch another one');
  };
  const tellUntilStopped = async (rpc: Rpc, service: string): Promise<void> => {
    const first = statusOf(service);
    await rpc.send(encodeHealthResponse(first));
    if (!stopped) await nextChange(watchers, rpc.signal);
    if (statusOf(service) !== first) await rpc.send(encodeHealthResponse(statusOf(service)));
  };
  const stop = (): void => {
    stopped = true;
    for (const tell of [...watchers]) tell();
  };
  return { methods: { Check: check, Watch: watch }, stop };
}

function nextChange(watchers: Set<() => void>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const leave = (): void => {
      watchers.delete(onChange);
      signal.removeEventListener('abort', onAbort);
    };
    const onChange = (): void => {
      leave();
      resolve();
    };
    const onAbort = (): void => {
      leave();
      reject(signal.reason);
    };
    if (signal.aborted) return reject(signal.reason);
    watchers.add(onChange);
    signal.addEventListener('abort', onAbort);
  });
}
