/** Arrow IPC framing: schema messages, encapsulated schemas, and streams cut into messages. */
import { Message, MessageHeader, RecordBatchStreamWriter, type Schema } from 'apache-arrow';
import { fail } from '../errors.ts';
import type { EncodedBatch } from '../model.ts';
import { checkMessage } from './ipc-check.ts';

/** 0xFFFFFFFF and the message's length. */
const MESSAGE_PREFIX_BYTES = 8;
const CONTINUATION = 0xffffffff;

export interface IpcMessages {
  readonly schemaHeader: Uint8Array;
  readonly batches: readonly EncodedBatch[];
}

/** The Message flatbuffer of a schema, for `FlightData.data_header`. */
export function schemaMessage(schema: Schema): Uint8Array {
  return encapsulatedSchema(schema).subarray(MESSAGE_PREFIX_BYTES);
}

/** Rows of a RecordBatch message; 0 for any other. Trusts the bytes: only for messages of this cluster. */
export function messageRows(header: Uint8Array): number {
  const message = decodeMessage(header);
  return message.isRecordBatch() ? rowsOf(message) : 0;
}

/** Continuation marker, length and Message flatbuffer, for `FlightInfo.schema` and the like. */
export function encapsulatedSchema(schema: Schema): Uint8Array {
  const writer = new RecordBatchStreamWriter();
  writer.reset(undefined, schema);
  writer.finish();
  const stream = writer.toUint8Array(true);
  return stream.subarray(0, MESSAGE_PREFIX_BYTES + messageLength(stream, 0));
}

/** One whole message of an IPC stream from its two parts. Fails with request.malformed unless the body is as long as its header says. */
export function encapsulate(header: Uint8Array, body: Uint8Array): Buffer {
  const promised = checkMessage(header, body.length);
  const padding = -header.length & 7;
  const prefix = Buffer.alloc(MESSAGE_PREFIX_BYTES);
  prefix.writeUInt32LE(CONTINUATION, 0);
  prefix.writeInt32LE(header.length + padding, 4);
  return Buffer.concat([prefix, header, Buffer.alloc(padding), body, Buffer.alloc(promised - body.length)]);
}

/** Ends an IPC stream. */
export const END_OF_STREAM: Uint8Array = Buffer.from([0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]);

/**
 * Cuts a small IPC stream without dictionaries into its messages; the batches view `ipc`.
 * Bytes that are no such stream fail with server.internal: only this server makes them.
 */
export function splitIpcStream(ipc: Uint8Array): IpcMessages {
  let schemaHeader: Uint8Array | undefined;
  const batches: EncodedBatch[] = [];
  for (let at = 0; at < ipc.length; ) {
    const length = messageLength(ipc, at);
    if (length === 0) break;
    const header = ipc.subarray(at + MESSAGE_PREFIX_BYTES, at + MESSAGE_PREFIX_BYTES + length);
    const message = decodeMessage(header);
    const bodyStart = at + MESSAGE_PREFIX_BYTES + length;
    at = bodyStart + message.bodyLength;
    if (at > ipc.length) fail('server.internal', 'internal error', 'an IPC stream ends inside a message');
    if (message.isSchema()) schemaHeader = header;
    else batches.push({ header, body: ipc.subarray(bodyStart, at), rows: rowsOf(message), release: () => {} });
  }
  return { schemaHeader: schemaHeader ?? fail('server.internal', 'internal error', 'an IPC stream has no schema'), batches };
}

function messageLength(ipc: Uint8Array, at: number): number {
  const view = new DataView(ipc.buffer, ipc.byteOffset, ipc.byteLength);
  if (at + MESSAGE_PREFIX_BYTES > ipc.length || view.getUint32(at, true) !== CONTINUATION) {
    fail('server.internal', 'internal error', 'an IPC message has no prefix');
  }
  return view.getInt32(at + 4, true);
}

function decodeMessage(header: Uint8Array): Message {
  try {
    return Message.decode(header);
  } catch (error) {
    return fail('server.internal', 'internal error', error);
  }
}

function rowsOf(message: Message): number {
  if (!message.isRecordBatch())
    fail('server.internal', 'internal error', `an IPC stream has a ${MessageHeader[message.headerType]} message`);
  return message.header().length;
}
