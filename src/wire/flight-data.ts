/** FlightData frames: gRPC prefix and protobuf header by hand, so that the body buffer is sent without a copy. */
import { type Descriptor, readDescriptor } from './flight-messages.ts';
import { type Codec, codec } from './protos.ts';

/** Field 2, length-delimited: `data_header`. */
const DATA_HEADER_TAG = 0x12;
/** Field 3, length-delimited: `app_metadata`. */
const APP_METADATA_TAG = 0x1a;
/** Field 1000, length-delimited: `data_body`, as a two-byte varint. */
const DATA_BODY_TAG: readonly number[] = [0xc2, 0x3e];
/** Compressed flag and big-endian length. */
const GRPC_PREFIX_BYTES = 5;
const EMPTY: Uint8Array = new Uint8Array(0);

const flightData: Codec = codec('arrow.flight.protocol.FlightData');

/** Everything of a gRPC FlightData message that stands before its body; write the body right behind it. */
export function encodeFramePrefix(header: Uint8Array, bodyBytes: number): Buffer {
  const headerPart = 1 + varintBytes(header.length) + header.length;
  const bodyPart = bodyBytes === 0 ? 0 : DATA_BODY_TAG.length + varintBytes(bodyBytes);
  const prefix = Buffer.allocUnsafe(GRPC_PREFIX_BYTES + headerPart + bodyPart);
  prefix.writeUInt8(0, 0);
  prefix.writeUInt32BE(headerPart + bodyPart + bodyBytes, 1);
  let at = prefix.writeUInt8(DATA_HEADER_TAG, GRPC_PREFIX_BYTES);
  at = writeVarint(prefix, header.length, at);
  prefix.set(header, at);
  if (bodyBytes > 0) {
    prefix.set(DATA_BODY_TAG, at + header.length);
    writeVarint(prefix, bodyBytes, at + header.length + DATA_BODY_TAG.length);
  }
  return prefix;
}

/** One whole FlightData message without the gRPC prefix, in fresh memory. */
export function encodeFlightData(header: Uint8Array, body: Uint8Array, appMetadata: Uint8Array = EMPTY): Buffer {
  return Buffer.concat([metadataField(appMetadata), encodeFramePrefix(header, body.length).subarray(GRPC_PREFIX_BYTES), body]);
}

export interface FlightData {
  /** Of the first message of a DoPut or DoExchange. */
  readonly descriptor: Descriptor | null;
  /** IPC Message flatbuffer; empty in a message of metadata only. */
  readonly header: Uint8Array;
  readonly appMetadata: Uint8Array;
  readonly body: Uint8Array;
}

/** Views the message's own memory. Fails with request.malformed. */
export function decodeFlightData(bytes: Uint8Array): FlightData {
  const fields = flightData.decode(bytes);
  const described = fields.message('flightDescriptor');
  return {
    descriptor: described === undefined ? null : readDescriptor(described),
    header: fields.bytes('dataHeader'),
    appMetadata: fields.bytes('appMetadata'),
    body: fields.bytes('dataBody'),
  };
}

function metadataField(appMetadata: Uint8Array): Buffer {
  if (appMetadata.length === 0) return Buffer.alloc(0);
  const head = Buffer.allocUnsafe(1 + varintBytes(appMetadata.length));
  head.writeUInt8(APP_METADATA_TAG, 0);
  writeVarint(head, appMetadata.length, 1);
  return Buffer.concat([head, appMetadata]);
}

function varintBytes(value: number): number {
  let count = 1;
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) count++;
  return count;
}

function writeVarint(target: Buffer, value: number, start: number): number {
  let at = start;
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) target[at++] = (rest % 0x80) | 0x80;
  target[at++] = rest;
  return at;
}
