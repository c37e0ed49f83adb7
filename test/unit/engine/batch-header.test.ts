import { Message, MessageHeader, MetadataVersion } from 'apache-arrow';
import { CompressionType } from 'apache-arrow/fb/compression-type';
import { BodyCompression, BufferRegion, FieldNode, RecordBatch } from 'apache-arrow/ipc/metadata/message';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type BatchLayout, batchHeader } from '#src/engine/batch-header.js';
import { SEED } from '../../support/seed.ts';

const size = fc.integer({ min: 0, max: 2 ** 40 });
const layouts: fc.Arbitrary<BatchLayout> = fc.record({
  rows: size,
  nodes: fc.array(fc.record({ length: size, nulls: size }), { maxLength: 40 }),
  regions: fc.array(fc.record({ offset: size, length: size }), { maxLength: 100 }),
  variadic: fc.array(fc.integer({ min: 0, max: 1 }), { maxLength: 10 }),
  compression: fc.constantFrom(null, CompressionType.LZ4_FRAME, CompressionType.ZSTD),
  bodyLength: size,
});

function encoded({ rows, nodes, regions, variadic, compression, bodyLength }: BatchLayout): Uint8Array {
  const batch = new RecordBatch(
    rows,
    nodes.map(({ length, nulls }) => new FieldNode(length, nulls)),
    regions.map(({ offset, length }) => new BufferRegion(offset, length)),
    compression === null ? null : new BodyCompression(compression),
    [...variadic],
  );
  return Message.encode(new Message(bodyLength, MetadataVersion.V5, MessageHeader.RecordBatch, batch));
}

test('is what apache-arrow writes, byte by byte', () => {
  fc.assert(
    fc.property(layouts, (layout) => {
      expect(Buffer.from(batchHeader(layout)).toString('hex')).toBe(Buffer.from(encoded(layout)).toString('hex'));
    }),
    { seed: SEED },
  );
});
