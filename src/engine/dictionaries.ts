/** An enum's values as an IPC DictionaryBatch, sent once ahead of the rows. */
import { Message } from 'apache-arrow';
import { BufferRegion, DictionaryBatch, FieldNode, RecordBatch } from 'apache-arrow/ipc/metadata/message';
import type { EncodedBatch } from '../model.ts';

const encoder = new TextEncoder();
const ALIGNMENT = 64;

export function encodeDictionary(values: readonly string[], id: number): EncodedBatch {
  const texts = values.map((value) => encoder.encode(value));
  const offsetBytes = 4 * (texts.length + 1);
  const start = Math.ceil(offsetBytes / ALIGNMENT) * ALIGNMENT;
  const total = texts.reduce((sum, text) => sum + text.length, 0);
  const body = new Uint8Array(Math.ceil((start + total) / ALIGNMENT) * ALIGNMENT);
  const offsets = new Int32Array(body.buffer, 0, texts.length + 1);
  let end = 0;
  texts.forEach((text, index) => {
    body.set(text, start + end);
    end += text.length;
    offsets[index + 1] = end;
  });
  const regions = [new BufferRegion(0, 0), new BufferRegion(0, offsetBytes), new BufferRegion(start, total)];
  const batch = new RecordBatch(texts.length, [new FieldNode(texts.length, 0)], regions, null);
  const header = Message.encode(Message.from(new DictionaryBatch(batch, id), body.length));
  return { header, body, rows: 0, release: () => {} };
}
