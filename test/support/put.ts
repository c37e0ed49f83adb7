/** DoPut of the raw client: updates and ingested rows, with any messages. */
import { type Table, tableToIPC } from 'apache-arrow';
import type { RawClient } from './flight-client.ts';
import { decode, encode, encodeAny, type Fields } from './flight-messages.ts';

const PUT = '/arrow.flight.protocol.FlightService/DoPut';

/** An encapsulated IPC stream as FlightData header and body, message by message. */
export function ipcMessages(ipc: Uint8Array): Fields[] {
  const view = new DataView(ipc.buffer, ipc.byteOffset, ipc.byteLength);
  const starts: number[] = [];
  const messages: Fields[] = [];
  for (let at = 0; at + 8 <= ipc.length; ) {
    const length = view.getInt32(at + 4, true);
    if (length === 0) break;
    starts.push(at);
    const header = ipc.subarray(at + 8, at + 8 + length);
    const body = bodyLength(header);
    messages.push({ data_header: header, data_body: ipc.subarray(at + 8 + length, at + 8 + length + body) });
    at += 8 + length + body;
  }
  return messages;
}

function bodyLength(header: Uint8Array): number {
  const view = new DataView(header.buffer, header.byteOffset, header.byteLength);
  const table = view.getUint32(0, true);
  const vtable = table - view.getInt32(table, true);
  const slot = view.getUint16(vtable, true) > 10 ? view.getUint16(vtable + 10, true) : 0;
  return slot === 0 ? 0 : Number(view.getBigInt64(table + slot, true));
}

/** Sends the messages behind a command; the number of rows that the server reports. */
export function put(client: RawClient, command: Uint8Array, messages: readonly Fields[]): Promise<number> {
  return new Promise((resolve, reject) => {
    const identity = (bytes: Buffer): Buffer => bytes;
    const call = client.grpc.makeBidiStreamRequest(PUT, identity, identity, client.metadata());
    let count = -1;
    call.on('data', (bytes: Buffer) => {
      const { app_metadata } = decode<{ app_metadata: Uint8Array }>('PutResult', bytes);
      count = Number(decode<{ record_count: string }>('DoPutUpdateResult', app_metadata).record_count);
    });
    call.on('error', reject);
    call.on('end', () => resolve(count));
    const [first = {}, ...rest] = messages;
    call.write(Buffer.from(encode('FlightData', { flight_descriptor: { type: 2, cmd: command }, ...first })));
    for (const message of rest) call.write(Buffer.from(encode('FlightData', message)));
    call.end();
  });
}

/** A statement as JDBC runs an update. */
export function update(client: RawClient, query: string): Promise<number> {
  return put(client, encodeAny('CommandStatementUpdate', { query }), []);
}

export interface IngestOptions {
  readonly schema?: string;
  readonly ifMissing?: 'create' | 'fail';
  readonly ifExists?: 'fail' | 'append' | 'replace';
}

export function ingestCommand(table: string, { schema, ifMissing = 'create', ifExists = 'fail' }: IngestOptions = {}): Uint8Array {
  const options = { if_not_exist: { create: 1, fail: 2 }[ifMissing], if_exists: { fail: 1, append: 2, replace: 3 }[ifExists] };
  return encodeAny('CommandStatementIngest', { table, table_definition_options: options, ...(schema === undefined ? {} : { schema }) });
}

export function ingest(client: RawClient, name: string, table: Table, options: IngestOptions = {}): Promise<number> {
  return put(client, ingestCommand(name, options), ipcMessages(tableToIPC(table, 'stream')));
}
