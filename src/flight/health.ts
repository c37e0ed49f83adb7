/** gRPC health checks (grpc.health.v1) for load balancers and orchestrators. Nobody signs in; nothing is told but up or down. */
import { fail } from '../errors.ts';
import { decodeHealthRequest, encodeHealthResponse, type ServingStatus } from '../wire/index.ts';
import type { Rpc, RpcHandler } from './rpc.ts';

export interface Health {
  readonly methods: Readonly<Record<'Check' | 'Watch', RpcHandler>>;
  /** SERVING or NOT_SERVING from now on; who watches is told. */
  set(serving: boolean): void;
  /** NOT_SERVING for good; who watches is told, and its stream ends. */
  stop(): void;
}

/** Strangers may hold these open. */
const WATCHERS_MAX = 1000;

/** `services`: full names that are asked about beside the server as a whole. */
export function createHealth(services: readonly string[]): Health {
  const known: ReadonlySet<string> = new Set(['', ...services]);
  const watchers = new Set<() => void>();
  const state = { serving: true, stopped: false };
  let open = 0;
  const statusOf = (service: string): ServingStatus => {
    if (!known.has(service)) return 'SERVICE_UNKNOWN';
    return state.serving && !state.stopped ? 'SERVING' : 'NOT_SERVING';
  };
  const change = (to: Partial<typeof state>): void => {
    Object.assign(state, to);
    for (const tell of [...watchers]) tell();
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
    let told: ServingStatus | null = null;
    for (;;) {
      const status = statusOf(service);
      if (status !== told) {
        told = status;
        await rpc.send(encodeHealthResponse(status));
      } else if (state.stopped) return;
      else await nextChange(watchers, rpc.signal);
    }
  };
  return {
    methods: { Check: check, Watch: watch },
    set: (serving) => change({ serving }),
    stop: () => change({ stopped: true }),
  };
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
