/**
 * A raw Flight client on @grpc/grpc-js for attacks, fuzzing and service tests: sends any bytes, shows status and message as they came.
 * Errors of all calls are grpc ServiceErrors; `failureOf` turns a promise into `{status, message}`. Close the client.
 */
import {
  type ChannelCredentials,
  type ClientReadableStream,
  credentials,
  Client as GrpcClient,
  Metadata,
  type ServiceError,
  status,
} from '@grpc/grpc-js';
import { type Table, tableFromIPC } from 'apache-arrow';
import {
  decode,
  decodeAny,
  encode,
  encodeAny,
  type Fields,
  type FlightData,
  type FlightInfo,
  type PreparedResult,
} from './flight-messages.ts';
import { plainRows } from './rows.ts';

const SERVICE = '/arrow.flight.protocol.FlightService';

export interface FlightClientOptions {
  readonly port: number;
  readonly host?: string;
  /** Signs in with Basic at the first call; without it calls go out without credentials. */
  readonly user?: string;
  /** Default: the demo's `<user>-demo`. */
  readonly password?: string;
  /** Overrides the sign-in: the whole `authorization` header. */
  readonly authorization?: string;
  /** Put before gRPC's own. */
  readonly userAgent?: string;
  /** TLS with this authority (PEM), and with this client certificate. */
  readonly tls?: { readonly authority: string; readonly certificate?: string; readonly key?: string };
}

export interface Failure {
  /** gRPC status name; `OK` when the call succeeded. */
  readonly status: string;
  readonly message: string;
}

/** Connects and, with `user`, signs in. */
export async function connectFlight(options: FlightClientOptions): Promise<RawClient> {
  const client = new RawClient(options);
  if (options.authorization !== undefined) client.authorization = options.authorization;
  else if (options.user !== undefined) await client.handshake(options.user, options.password ?? `${options.user}-demo`);
  return client;
}

export class RawClient implements AsyncDisposable {
  readonly grpc: GrpcClient;
  /** Sent with each call when set. */
  authorization: string | null = null;

  constructor(options: FlightClientOptions) {
    const limits = {
      'grpc.max_receive_message_length': -1,
      'grpc.max_send_message_length': -1,
      'grpc.use_local_subchannel_pool': 1,
      ...(options.userAgent === undefined ? {} : { 'grpc.primary_user_agent': options.userAgent }),
    };
    this.grpc = new GrpcClient(`${options.host ?? '127.0.0.1'}:${options.port}`, channelCredentials(options), limits);
  }

  metadata(): Metadata {
    const metadata = new Metadata();
    if (this.authorization !== null) metadata.set('authorization', this.authorization);
    return metadata;
  }

  /** Basic sign-in as ADBC does it: no message. Keeps and returns the `Bearer …` header of the answer. */
  handshake(user: string, password: string): Promise<string> {
    const metadata = new Metadata();
    metadata.set('authorization', `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`);
    return new Promise((resolve, reject) => {
      const call = this.grpc.makeBidiStreamRequest(`${SERVICE}/Handshake`, toBuffer, fromBuffer, metadata);
      let bearer: string | undefined;
      const look = (found: Metadata): void => {
        bearer ??= found.get('authorization')[0]?.toString();
      };
      call.on('metadata', look);
      call.on('data', () => {});
      call.on('error', reject);
      call.on('status', (end) => {
        look(end.metadata);
        if (end.code !== status.OK) return;
        if (bearer === undefined) return reject(new Error('handshake gave no authorization'));
        this.authorization = bearer;
        resolve(bearer);
      });
      call.end();
    });
  }

  /** Any bytes to a unary method, e.g. `GetFlightInfo`, `GetSchema`. */
  unary(method: string, request: Uint8Array): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      this.grpc.makeUnaryRequest(`${SERVICE}/${method}`, toBuffer, fromBuffer, Buffer.from(request), this.metadata(), (error, value) =>
        error === null && value !== undefined ? resolve(value) : reject(error ?? new Error('no answer')),
      );
    });
  }

  /** Any bytes to a server-streaming method, e.g. `DoGet`, `DoAction`; the caller reads or cancels. */
  stream(method: string, request: Uint8Array): ClientReadableStream<Buffer> {
    return this.grpc.makeServerStreamRequest(`${SERVICE}/${method}`, toBuffer, fromBuffer, Buffer.from(request), this.metadata());
  }

  async collect(method: string, request: Uint8Array): Promise<Buffer[]> {
    const messages: Buffer[] = [];
    for await (const message of this.stream(method, request)) messages.push(message as Buffer);
    return messages;
  }

  /** FlightInfo of a Flight SQL command. */
  async info(command: string, fields: Fields = {}): Promise<FlightInfo> {
    const descriptor = encode('FlightDescriptor', { type: 2, cmd: encodeAny(command, fields) });
    return decode<FlightInfo>('FlightInfo', await this.unary('GetFlightInfo', descriptor));
  }

  async action(type: string, body: Uint8Array): Promise<Uint8Array[]> {
    const results = await this.collect('DoAction', encode('Action', { type, body }));
    return results.map((result) => decode<{ body: Uint8Array }>('Result', result).body);
  }

  async prepare(query: string): Promise<PreparedResult> {
    const [body] = await this.action('CreatePreparedStatement', encodeAny('ActionCreatePreparedStatementRequest', { query }));
    if (body === undefined) throw new Error('CreatePreparedStatement answered nothing');
    return decodeAny<PreparedResult>('ActionCreatePreparedStatementResult', body);
  }

  openStream(ticket: Uint8Array): ClientReadableStream<Buffer> {
    return this.stream('DoGet', encode('Ticket', { ticket }));
  }

  async get(ticket: Uint8Array): Promise<Table> {
    const messages = await this.collect('DoGet', encode('Ticket', { ticket }));
    return toTable(messages.map((message) => decode<FlightData>('FlightData', message)));
  }

  /** A command's whole answer, endpoint after endpoint. */
  async run(command: string, fields: Fields = {}): Promise<Table> {
    const info = await this.info(command, fields);
    const tables: Table[] = [];
    for (const endpoint of info.endpoint) tables.push(await this.get(endpoint.ticket.ticket));
    const [first, ...rest] = tables;
    if (first === undefined) throw new Error('FlightInfo has no endpoint');
    return first.concat(...rest);
  }

  table(query: string): Promise<Table> {
    return this.run('CommandStatementQuery', { query });
  }

  /** A query's rows as plain values: see `plainRows`. */
  async rows(query: string): Promise<Record<string, unknown>[]> {
    return plainRows(await this.table(query));
  }

  /** The way JDBC and ADBC take: prepare, GetFlightInfo on the handle, DoGet, close. */
  async rowsPrepared(query: string): Promise<Record<string, unknown>[]> {
    const { prepared_statement_handle } = await this.prepare(query);
    const table = await this.run('CommandPreparedStatementQuery', { prepared_statement_handle });
    await this.action('ClosePreparedStatement', encodeAny('ActionClosePreparedStatementRequest', { prepared_statement_handle }));
    return plainRows(table);
  }

  close(): void {
    this.grpc.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
  }
}

function channelCredentials({ tls }: FlightClientOptions): ChannelCredentials {
  if (tls === undefined) return credentials.createInsecure();
  const pem = (text: string | undefined): Buffer | null => (text === undefined ? null : Buffer.from(text));
  return credentials.createSsl(pem(tls.authority), pem(tls.key), pem(tls.certificate));
}

/** What a call failed with; `{status: 'OK'}` when it did not fail. */
export async function failureOf(call: Promise<unknown>): Promise<Failure> {
  try {
    await call;
    return { status: 'OK', message: '' };
  } catch (error) {
    const { code, details, message } = error as ServiceError;
    return { status: typeof code === 'number' ? (status[code] ?? String(code)) : 'NONE', message: details ?? message };
  }
}

/** Rebuilds the IPC stream that FlightData messages were cut from. */
function toTable(messages: readonly FlightData[]): Table {
  const parts: Uint8Array[] = [];
  for (const { data_header: header, data_body: body } of messages) {
    if (header.length === 0) continue;
    const padding = -(header.length + 8) & 7;
    const prefix = Buffer.alloc(8);
    prefix.writeUInt32LE(0xffffffff, 0);
    prefix.writeUInt32LE(header.length + padding, 4);
    parts.push(prefix, header, Buffer.alloc(padding), body);
  }
  return tableFromIPC(Buffer.concat(parts));
}

function toBuffer(bytes: Buffer): Buffer {
  return bytes;
}

function fromBuffer(bytes: Buffer): Buffer {
  return bytes;
}
