/** FlightData frames: gRPC prefix and protobuf header by hand, so that the body buffer is sent without a copy. */

/** Field 2, length-delimited: `data_header`. */
const DATA_HEADER_TAG = 0x12;
/** Field 1000, length-delimited: `data_body`, as a two-byte varint. */
const DATA_BODY_TAG: readonly number[] = [0xc2, 0x3e];
/** Compressed flag and big-endian length. */
const GRPC_PREFIX_BYTES = 5;

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
export function encodeFlightData(header: Uint8Array, body: Uint8Array): Buffer {
  return Buffer.concat([encodeFramePrefix(header, body.length).subarray(GRPC_PREFIX_BYTES), body]);
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
