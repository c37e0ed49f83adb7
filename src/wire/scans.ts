/** Scans in a ticket: plain, or deflated when they are long. Faults fail with ticket.invalid. */
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import { fail } from '../errors.ts';
import { FILE_FORMATS, type Scan, type ScanPart, type StoredFile } from '../files.ts';
import type { PlanCatalog } from '../model.ts';
import { type Codec, codec, type Fields } from './protos.ts';

/** Longer ones are deflated: paths and versions are much alike. */
const DEFLATE_BYTES = 4096;
/** 100,000 files with long paths. Nothing larger is inflated. */
const INFLATED_BYTES_MAX = 64 * 1024 ** 2;
/** Files differ little from each other: the first level finds most of it. */
const LEVEL = 1;

const listCodec: Codec = codec('sluice.ScanList');

/** Throws sql.limit when they are too large to travel. */
export function scansField(scans: readonly Scan[]): Record<string, unknown> {
  const encoded = listCodec.encode({ scans });
  if (encoded.length > INFLATED_BYTES_MAX) fail('sql.limit', 'the query reads too many files; name fewer partitions in its WHERE clause');
  return encoded.length <= DEFLATE_BYTES ? { plain: { scans } } : { deflated: deflateRawSync(encoded, { level: LEVEL }) };
}

export function readScans(fields: Fields): readonly Scan[] {
  const plain = fields.message('plain');
  const list = plain ?? listCodec.decode(inflate(fields.bytes('deflated')), 'ticket.invalid');
  return list.messages('scans').map(readScan);
}

function inflate(bytes: Uint8Array): Uint8Array {
  if (bytes.length === 0) return bytes;
  try {
    return inflateRawSync(bytes, { maxOutputLength: INFLATED_BYTES_MAX });
  } catch (error) {
    return fail('ticket.invalid', 'the ticket holds no list of files', error);
  }
}

function readScan(fields: Fields): Scan {
  const format = FILE_FORMATS.find((known) => known === fields.string('format'));
  return {
    dataset: fields.string('dataset'),
    relation: fields.string('relation'),
    format: format ?? fail('ticket.invalid', 'the ticket names an unknown file format'),
    hivePartitioning: fields.boolean('hivePartitioning'),
    columns: fields.messages('columns').map((column) => ({ name: column.string('name'), type: column.string('type') })),
    parts: fields.messages('parts').map(readPart),
  };
}

function readPart(fields: Fields): ScanPart {
  const [from, to] = fields.numbers('rows');
  return {
    files: fields.messages('files').map(readFile),
    missing: fields.strings('missing'),
    ...(fields.boolean('mixed') ? { mixed: true } : {}),
    ...(from === undefined || to === undefined ? {} : { rows: [from, to] as const }),
  };
}

function readFile(fields: Fields): StoredFile {
  return { path: fields.string('path'), bytes: fields.number('bytes'), version: fields.string('version') };
}

/** What a share of release 0.1 reads, which its statements name themselves: a scan of no columns, only to be checked. */
export function sharedFiles(files: readonly Fields[], [dataset = '']: readonly string[]): Pick<PlanCatalog, 'scans'> {
  if (files.length === 0) return {};
  const parts: readonly ScanPart[] = [{ files: files.map(readFile), missing: [] }];
  return { scans: [{ dataset, relation: '', format: 'parquet', hivePartitioning: false, columns: [], parts }] };
}
