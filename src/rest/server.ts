/** The operators' HTTP port: three fixed answers to GET and HEAD, small limits on everything else. No secret, no data, no sign-in. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Logger } from '../log.ts';

export interface RestOptions {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** The metrics, in Prometheus' text format. */
  readonly metrics: () => Promise<{ readonly contentType: string; readonly text: string }>;
  /** Why the server should get no new work, as short sentences; empty when it is ready. */
  readonly unready: () => Promise<readonly string[]>;
  readonly logger: Logger;
}

export interface RestServer extends AsyncDisposable {
  readonly port: number;
}

interface Answer {
  readonly status: number;
  readonly contentType?: string;
  readonly text: string;
  readonly headers?: Readonly<Record<string, string>>;
}

const HEADER_BYTES_MAX = 16 * 1024;
const REQUEST_TIMEOUT_MS = 10_000;
const CONNECTIONS_MAX = 64;
const READY_TIMEOUT_MS = 5000;

/** Rejects when the address can not be bound. */
export async function createRestServer(options: RestOptions): Promise<RestServer> {
  const server = createServer(
    {
      maxHeaderSize: HEADER_BYTES_MAX,
      headersTimeout: REQUEST_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      keepAliveTimeout: REQUEST_TIMEOUT_MS,
      connectionsCheckingInterval: 1000,
    },
    (request, response) => void respond(options, request, response),
  );
  server.maxConnections = CONNECTIONS_MAX;
  server.listen(options.port, options.host);
  await once(server, 'listening');
  // Without a listener a fault of one connection would end the process.
  server.on('error', (error) => options.logger.error({ err: error }, 'HTTP server failed'));
  return {
    port: (server.address() as AddressInfo).port,
    [Symbol.asyncDispose]: async () => {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

async function respond(options: RestOptions, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const answer = await answerTo(options, request).catch((error: unknown): Answer => {
    options.logger.error({ err: error }, 'HTTP request failed');
    return { status: 500, text: 'internal error\n' };
  });
  const body = Buffer.from(answer.text);
  const hasBody = request.headers['content-length'] !== undefined || request.headers['transfer-encoding'] !== undefined;
  response.writeHead(answer.status, {
    'content-type': answer.contentType ?? 'text/plain; charset=utf-8',
    'content-length': body.length,
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    // Nobody reads a body here, so the connection can not serve another request.
    ...(hasBody ? { connection: 'close' } : {}),
    ...answer.headers,
  });
  response.end(request.method === 'HEAD' ? undefined : body);
}

async function answerTo(options: RestOptions, { method, url }: IncomingMessage): Promise<Answer> {
  const [path = ''] = (url ?? '').split('?', 1);
  const resource = Object.hasOwn(RESOURCES, path) ? RESOURCES[path] : undefined;
  if (resource === undefined) return { status: 404, text: `not found; there are ${Object.keys(RESOURCES).join(', ')}\n` };
  if (method !== 'GET' && method !== 'HEAD') return { status: 405, text: 'only GET and HEAD\n', headers: { allow: 'GET, HEAD' } };
  return resource(options);
}

const RESOURCES: Readonly<Record<string, (options: RestOptions) => Promise<Answer>>> = {
  '/metrics': async ({ metrics }) => ({ status: 200, ...(await metrics()) }),
  '/healthz': async () => ({ status: 200, text: 'ok\n' }),
  '/readyz': async ({ unready }) => {
    const reasons = await withinTime(unready());
    return reasons.length === 0 ? { status: 200, text: 'ok\n' } : { status: 503, text: `${reasons.join('\n')}\n` };
  },
};

async function withinTime(reasons: Promise<readonly string[]>): Promise<readonly string[]> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<readonly string[]>((resolve) => {
    timer = setTimeout(resolve, READY_TIMEOUT_MS, [`no answer within ${READY_TIMEOUT_MS / 1000} s`]);
  });
  try {
    return await Promise.race([reasons, late]);
  } finally {
    clearTimeout(timer);
  }
}
