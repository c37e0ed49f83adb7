/**
 * The HTTP/2 servers below grpc-js: requests that grpc-js answers by itself are recorded here, and uploads get windows that
 * suit long distances. It reaches a private field of grpc-js; a test fails when an upgrade moves it.
 */
import type { Http2Server, IncomingHttpHeaders, ServerHttp2Session, ServerHttp2Stream } from 'node:http2';
import type { Socket } from 'node:net';
import type { Server } from '@grpc/grpc-js';

/** With 64 KB, HTTP/2's default, an upload over 100 ms of distance ends at 640 KB/s. The connection's window bounds what strangers can fill. */
const STREAM_WINDOW_BYTES = 1024 ** 2;
const CONNECTION_WINDOW_BYTES = 4 * 1024 ** 2;
/**
 * Of one request's headers; clients are told. A request above it is reset by itself (ENHANCE_YOUR_CALM); without the limit only the
 * protection against floods of header frames would act, at about 128 KB, and end the whole connection.
 */
const HEADER_LIST_BYTES = 64 * 1024;

export interface Unrouted {
  readonly path: string;
  readonly peer: string;
  /** Whether it is not a gRPC request at all. */
  readonly foreign: boolean;
}

/** `onUnrouted` is told of each request for which there is no method. False when the servers were not found. */
export function tuneHttp2(server: Server, methods: ReadonlySet<string>, onUnrouted: (request: Unrouted) => void): boolean {
  const servers = http2ServersOf(server);
  for (const http2 of servers) {
    http2.updateSettings({ initialWindowSize: STREAM_WINDOW_BYTES, maxHeaderListSize: HEADER_LIST_BYTES });
    http2.on('session', (session: ServerHttp2Session) => session.setLocalWindowSize(CONNECTION_WINDOW_BYTES));
    http2.on('stream', (stream: ServerHttp2Stream, headers: IncomingHttpHeaders & { readonly ':path'?: string }) => {
      const path = headers[':path'] ?? '';
      const foreign = headers['content-type']?.startsWith('application/grpc') !== true;
      if (foreign || !methods.has(path)) onUnrouted({ path, peer: peerOf(stream), foreign });
    });
  }
  return servers.length > 0;
}

export interface ConnectionLimits {
  readonly connectionsMax: number;
  readonly connectionsPerAddress: number;
}

/** Connections above a limit are closed at once: each costs memory and a file, also when it says nothing. */
export function limitConnections(server: Server, { connectionsMax, connectionsPerAddress }: ConnectionLimits): void {
  const open = new Map<string, number>();
  for (const http2 of http2ServersOf(server)) {
    http2.maxConnections = connectionsMax;
    http2.on('connection', (socket: Socket) => {
      const address = socket.remoteAddress ?? '';
      const count = (open.get(address) ?? 0) + 1;
      open.set(address, count);
      socket.once('close', () => {
        const left = (open.get(address) ?? 1) - 1;
        if (left === 0) open.delete(address);
        else open.set(address, left);
      });
      if (count > connectionsPerAddress) socket.destroy();
    });
  }
}

function http2ServersOf(server: Server): readonly Http2Server[] {
  const servers: unknown = Reflect.get(server, 'http2Servers');
  return servers instanceof Map ? [...servers.keys()].filter(isHttp2Server) : [];
}

function isHttp2Server(value: unknown): value is Http2Server {
  return typeof value === 'object' && value !== null && 'updateSettings' in value && 'on' in value;
}

/** As grpc-js names peers. */
function peerOf(stream: ServerHttp2Stream): string {
  const socket = stream.session?.socket;
  return socket?.remoteAddress === undefined ? 'unknown' : `${socket.remoteAddress}:${socket.remotePort ?? 0}`;
}
