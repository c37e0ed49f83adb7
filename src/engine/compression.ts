/** IPC body compression with the LZ4 and ZSTD that libduckdb itself carries: no other library, no copy into JavaScript. */
import { CompressionType } from 'apache-arrow/fb/compression-type';
import { fail } from '../errors.ts';
import type { WireForm } from '../model.ts';
import { type Address, bodyCompressors, copyIn } from './duckdb-c.ts';

export interface BodyCodec {
  readonly type: CompressionType;
  /** Compresses `length` bytes into at most `room`; the bytes written, 0 when they do not fit. */
  readonly compress: (target: Address, room: number, source: Address, length: number) => number;
}

/** null = no compression. Fails with request.unimplemented when this platform's DuckDB does not carry the method. */
export function bodyCodec(method: WireForm['compression']): BodyCodec | null {
  if (method === 'none') return null;
  if (bodyCompressors[method] === null)
    fail('request.unimplemented', `${method} compression is not available on this server; ask for none`);
  return CODECS[method];
}

const CODECS: Readonly<Record<'lz4' | 'zstd', BodyCodec>> = {
  lz4: { type: CompressionType.LZ4_FRAME, compress: lz4Frame },
  zstd: { type: CompressionType.ZSTD, compress: zstdFrame },
};

/** Magic number, independent blocks of at most 4 MiB, no checksums, and the header's own checksum (LZ4 frame format 1.6.4). */
const LZ4_HEADER: Uint8Array = Uint8Array.of(0x04, 0x22, 0x4d, 0x18, 0x60, 0x70, 0x73);
const LZ4_BLOCK = 4 * 1024 * 1024;
const LZ4_END: Uint8Array = new Uint8Array(4);

function lz4Frame(target: Address, room: number, source: Address, length: number): number {
  const compress = bodyCompressors.lz4;
  const end = room - LZ4_END.length;
  if (compress === null || end < LZ4_HEADER.length) return 0;
  copyIn(target, LZ4_HEADER, LZ4_HEADER.length);
  let at = LZ4_HEADER.length;
  for (let from = 0; from < length; from += LZ4_BLOCK) {
    const size = end - at - 4 > 0 ? compress(source + from, target + at + 4, Math.min(LZ4_BLOCK, length - from), end - at - 4) : 0;
    if (size === 0) return 0;
    copyIn(target + at, Uint8Array.of(size, size >> 8, size >> 16, size >> 24), 4);
    at += 4 + size;
  }
  copyIn(target + at, LZ4_END, LZ4_END.length);
  return at + LZ4_END.length;
}

/** Arrow's own default. */
const ZSTD_LEVEL = 1;

function zstdFrame(target: Address, room: number, source: Address, length: number): number {
  const compress = bodyCompressors.zstd;
  if (compress === null) return 0;
  const size = Number(compress(target, room, source, length, ZSTD_LEVEL));
  // Errors are the largest numbers of the type.
  return size <= room ? size : 0;
}
