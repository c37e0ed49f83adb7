/** HTTP/2 below what a gRPC client lets one do: any headers, any bytes in any frame, connections that stop in the middle. Loopback only. */
import { type ClientHttp2Session, type ClientHttp2Stream, connect as connectHttp2, constants, type OutgoingHttpHeaders } from 'node:http2';
import { connect as connectTcp, type Socket } from 'node:net';

export interface HttpAnswer {
  /** 0 when the stream ended without headers. */
  readonly status: number;
  readonly grpcStatus: string | undefined;
  readonly message: string;
  readonly requestId: string | undefined;
}

export interface HttpRequest {
  readonly headers?: OutgoingHttpHeaders;
  /** DATA, as it is. */
  readonly body?: Uint8Array;
}

const NO_ANSWER: HttpAnswer = { status: 0, grpcStatus: undefined, message: '', requestId: undefined };
/** A request that hangs longer is a fault of the server. */
const PATIENCE_MS = 180_000;

export const GRPC_HEADERS: OutgoingHttpHeaders = {
  [constants.HTTP2_HEADER_METHOD]: 'POST',
  [constants.HTTP2_HEADER_PATH]: '/arrow.flight.protocol.FlightService/GetSchema',
  'content-type': 'application/grpc',
  te: 'trailers',
};

export function openSession(port: number): ClientHttp2Session {
  const session = connectHttp2(`http://127.0.0.1:${port}`, { settings: { enablePush: false } });
  session.on('error', () => {});
  session.on('goaway', () => {});
  return session;
}

/** One request on a connection of its own, to its end. Rejects only when the server lets it hang. */
export async function sendRequest(port: number, { headers = {}, body = new Uint8Array() }: HttpRequest): Promise<HttpAnswer> {
  const session = openSession(port);
  try {
    return await answerOf(session.request({ ...GRPC_HEADERS, ...headers }), body);
  } finally {
    session.destroy();
  }
}

function answerOf(stream: ClientHttp2Stream, body: Uint8Array): Promise<HttpAnswer> {
  return new Promise((resolve, reject) => {
    let answer = NO_ANSWER;
    const look = (found: Readonly<Record<string, unknown>>): void => {
      answer = {
        status: Number(found[constants.HTTP2_HEADER_STATUS] ?? answer.status),
        grpcStatus: found['grpc-status'] === undefined ? answer.grpcStatus : String(found['grpc-status']),
        message: found['grpc-message'] === undefined ? answer.message : decodeURIComponent(String(found['grpc-message'])),
        requestId: found['x-request-id'] === undefined ? answer.requestId : String(found['x-request-id']),
      };
    };
    stream.setTimeout(PATIENCE_MS, () => reject(new Error('the request hangs')));
    stream.on('response', look);
    stream.on('trailers', look);
    stream.on('error', () => {});
    stream.on('close', () => resolve(answer));
    stream.resume();
    stream.end(body);
  });
}

/** gRPC's five bytes and the message; `length` and `flag` may lie. */
export function grpcMessage(content: Uint8Array, length: number = content.length, flag = 0): Buffer {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt8(flag, 0);
  prefix.writeUInt32BE(length >>> 0, 1);
  return Buffer.concat([prefix, content]);
}

export const FRAME = {
  data: 0,
  headers: 1,
  priority: 2,
  reset: 3,
  settings: 4,
  push: 5,
  ping: 6,
  goaway: 7,
  window: 8,
  continuation: 9,
} as const;
const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
export const END_STREAM = 1;
export const END_HEADERS = 4;

export function frame(
  type: number,
  flags: number,
  stream: number,
  payload: Uint8Array = new Uint8Array(),
  length: number = payload.length,
): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream >>> 0, 5);
  return Buffer.concat([head, payload]);
}

/** HPACK without tables and Huffman: literal, never indexed. */
export function headerBlock(headers: Readonly<Record<string, string>>): Buffer {
  const text = (value: string): Buffer => {
    const bytes = Buffer.from(value, 'latin1');
    return Buffer.concat([integer(bytes.length), bytes]);
  };
  return Buffer.concat(Object.entries(headers).map(([name, value]) => Buffer.concat([Buffer.from([0x10]), text(name), text(value)])));
}

/** A length with a seven-bit prefix. */
function integer(value: number): Buffer {
  if (value < 127) return Buffer.from([value]);
  const bytes = [127];
  let rest = value - 127;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128);
  return Buffer.from([...bytes, rest]);
}

export const REQUEST_HEADERS: Readonly<Record<string, string>> = {
  ':method': 'POST',
  ':scheme': 'http',
  ':path': '/arrow.flight.protocol.FlightService/GetSchema',
  ':authority': '127.0.0.1',
  'content-type': 'application/grpc',
  te: 'trailers',
};

/** A connection that has said hello. */
export function openSocket(port: number, hello: readonly Uint8Array[] = [PREFACE, frame(FRAME.settings, 0, 0)]): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connectTcp(port, '127.0.0.1', () => {
      socket.on('error', () => {});
      for (const bytes of hello) socket.write(bytes);
      socket.resume();
      resolve(socket);
    });
    socket.once('error', reject);
  });
}

/** Writes as long as the other side takes it; gives the connection `patienceMs` to be closed by the server, then tears it. */
export async function attack(port: number, bytes: Iterable<Uint8Array>, patienceMs = 300): Promise<void> {
  const socket = await openSocket(port);
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  for (const chunk of bytes) {
    if (socket.destroyed) break;
    if (!socket.write(chunk)) await Promise.race([new Promise((resolve) => socket.once('drain', resolve)), closed]);
  }
  const patience = setTimeout(() => socket.destroy(), patienceMs);
  await closed;
  clearTimeout(patience);
}
