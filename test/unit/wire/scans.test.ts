import { deflateRawSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { SluiceError } from '#src/errors.js';
import type { Scan, ScanPart } from '#src/files.js';
import { PLAIN_FORM } from '#src/model.js';
import { decodeTicket, encodeTicket, type Ticket } from '#src/wire/index.js';
import { codec } from '#src/wire/protos.js';
import { readScans, scansField } from '#src/wire/scans.js';

const text = fc.string({ unit: 'grapheme', maxLength: 12 });
const file = fc.record({ path: text, bytes: fc.nat(2 ** 31), version: text });
const rows = fc.tuple(fc.nat(1000), fc.nat(1000)).map(([from, count]) => [from, from + count] as const);
const part: fc.Arbitrary<ScanPart> = fc
  .record({
    files: fc.array(file, { maxLength: 5 }),
    missing: fc.array(text, { maxLength: 3 }),
    mixed: fc.boolean(),
    rows: fc.option(rows),
  })
  .map(({ files, missing, mixed, rows: range }) => ({
    files,
    missing,
    ...(mixed ? { mixed } : {}),
    ...(range === null ? {} : { rows: range }),
  }));
const scan: fc.Arbitrary<Scan> = fc.record({
  dataset: text,
  relation: text,
  format: fc.constantFrom('parquet', 'csv', 'json'),
  hivePartitioning: fc.boolean(),
  columns: fc.array(fc.record({ name: text, type: text }), { maxLength: 4 }),
  parts: fc.array(part, { maxLength: 4 }),
});

const ticketOf = (scans: readonly Scan[]): Ticket => ({
  cluster: 'c',
  queryId: 'q',
  taskId: 0,
  subject: 'ada',
  fingerprint: 'f',
  epoch: 1,
  datasets: [],
  issuedAtMs: 1,
  expiresAtMs: 2,
  statement: 's',
  task: {
    kind: 'query',
    catalog: { name: 'p_1', defaultSchema: 'demo', statements: [], scans },
    statements: ['SELECT 1'],
    datasets: [],
    form: PLAIN_FORM,
    schema: new Uint8Array(),
  },
});

const many = (count: number): readonly Scan[] => {
  const files = Array.from({ length: count }, (_, i) => ({
    path: `s3://lake/day=${i % 365}/part-${i}.parquet`,
    bytes: i,
    version: `"${i}"`,
  }));
  return [{ dataset: 'd', relation: 'r', format: 'parquet', hivePartitioning: true, columns: [], parts: [{ files, missing: [] }] }];
};

function codeOf(run: () => unknown): string | null {
  try {
    run();
    return null;
  } catch (error) {
    return error instanceof SluiceError ? error.code : String(error);
  }
}

describe('scans in a ticket', () => {
  test('come back whole, short ones as they are and long ones deflated', () => {
    fc.assert(
      fc.property(fc.array(scan, { maxLength: 4 }), (scans) => {
        expect(Buffer.from(encodeTicket(decodeTicket(encodeTicket(ticketOf(scans)))))).toEqual(Buffer.from(encodeTicket(ticketOf(scans))));
      }),
      { numRuns: 200 },
    );
    expect(scansField(many(3))).toHaveProperty('plain');
    expect(scansField(many(3000))).toHaveProperty('deflated');
    expect(decodeTicket(encodeTicket(ticketOf(many(3000))))).toEqual(ticketOf(many(3000)));
  });

  test('of 100,000 files take a small part of a message', () => {
    expect(encodeTicket(ticketOf(many(100_000))).length).toBeLessThan(3 * 1024 ** 2);
  });

  test('that would inflate beyond their bound are refused before they do', () => {
    const bomb = (bytes: number): Uint8Array => deflateRawSync(Buffer.alloc(bytes), { level: 9 });
    const sealed = codec('sluice.Scans');
    for (const deflated of [bomb(65 * 1024 ** 2), bomb(300 * 1024 ** 2), deflateRawSync(bomb(200 * 1024 ** 2))]) {
      const before = process.memoryUsage().arrayBuffers;
      expect(codeOf(() => readScans(sealed.decode(sealed.encode({ deflated }))))).toBe('ticket.invalid');
      expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(200 * 1024 ** 2);
    }
  });

  test('cut or altered anywhere are scans or ticket.invalid, never another error', () => {
    const sealed = codec('sluice.Scans');
    const bytes = sealed.encode(scansField(many(300)));
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.nat(255), fc.boolean(), (at, value, cut) => {
        const altered = Buffer.from(cut ? bytes.subarray(0, at) : bytes);
        if (!cut) altered[at] = value;
        expect(codeOf(() => readScans(sealed.decode(altered, 'ticket.invalid')))).toBeOneOf([null, 'ticket.invalid']);
      }),
      { numRuns: 500 },
    );
  });

  test('of a format that is not known are refused', () => {
    const sealed = codec('sluice.Scans');
    const odd = sealed.encode({ plain: { scans: [{ dataset: 'd', format: 'orc' }] } });
    expect(codeOf(() => readScans(sealed.decode(odd)))).toBe('ticket.invalid');
  });

  test('that are too many to travel are refused in words', () => {
    const long = Array.from({ length: 70 }, (_, i) => ({ path: `${i}`.padEnd(1024 ** 2, 'x'), bytes: 1, version: '1' }));
    const [first] = many(1) as [Scan];
    expect(codeOf(() => scansField([{ ...first, parts: [{ files: long, missing: [] }] }]))).toBe('sql.limit');
  });
});
