/**
 * The IPC message before a record batch's body (Arrow format/Message.fbs). Written with the generated accessors alone: each engine thread
 * would load all of apache-arrow for its encoder.
 */
import { BodyCompression } from 'apache-arrow/fb/body-compression';
import { BodyCompressionMethod } from 'apache-arrow/fb/body-compression-method';
import { Buffer as BufferRegion } from 'apache-arrow/fb/buffer';
import type { CompressionType } from 'apache-arrow/fb/compression-type';
import { FieldNode } from 'apache-arrow/fb/field-node';
import { MetadataVersion } from 'apache-arrow/fb/metadata-version';
import { RecordBatch } from 'apache-arrow/fb/record-batch';
import { Builder, type Offset } from 'flatbuffers';

export interface BatchLayout {
  readonly rows: number;
  /** Columns before their children. */
  readonly nodes: readonly { readonly length: number; readonly nulls: number }[];
  /** Places in the body, in bytes. */
  readonly regions: readonly { readonly offset: number; readonly length: number }[];
  /** How many data buffers each view column has, in order. */
  readonly variadic: readonly number[];
  readonly compression: CompressionType | null;
  readonly bodyLength: number;
}

/** `MessageHeader.RecordBatch`, whose module would load those of all types. */
const RECORD_BATCH = 3;
const INITIAL_BYTES = 1024;

export function batchHeader(layout: BatchLayout): Uint8Array {
  const builder = new Builder(INITIAL_BYTES);
  const batch = writeBatch(builder, layout);
  builder.startObject(5);
  builder.addFieldInt16(0, MetadataVersion.V5, MetadataVersion.V1);
  builder.addFieldOffset(2, batch, 0);
  builder.addFieldInt8(1, RECORD_BATCH, 0);
  builder.addFieldInt64(3, BigInt(layout.bodyLength), 0n);
  builder.finish(builder.endObject());
  return builder.asUint8Array();
}

/** Flatbuffers are written from the end to the beginning. */
function writeBatch(builder: Builder, { rows, nodes, regions, variadic, compression }: BatchLayout): Offset {
  RecordBatch.startNodesVector(builder, nodes.length);
  for (const { length, nulls } of nodes.toReversed()) FieldNode.createFieldNode(builder, BigInt(length), BigInt(nulls));
  const nodesAt = builder.endVector();
  RecordBatch.startBuffersVector(builder, regions.length);
  for (const { offset, length } of regions.toReversed()) BufferRegion.createBuffer(builder, BigInt(offset), BigInt(length));
  const regionsAt = builder.endVector();
  const compressionAt =
    compression === null ? 0 : BodyCompression.createBodyCompression(builder, compression, BodyCompressionMethod.BUFFER);
  const variadicAt = variadic.length === 0 ? 0 : RecordBatch.createVariadicBufferCountsVector(builder, variadic.map(BigInt));
  RecordBatch.startRecordBatch(builder);
  RecordBatch.addLength(builder, BigInt(rows));
  RecordBatch.addNodes(builder, nodesAt);
  RecordBatch.addBuffers(builder, regionsAt);
  if (compressionAt !== 0) RecordBatch.addCompression(builder, compressionAt);
  if (variadicAt !== 0) RecordBatch.addVariadicBufferCounts(builder, variadicAt);
  return RecordBatch.endRecordBatch(builder);
}
