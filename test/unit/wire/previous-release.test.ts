/** What release 0.1.0 sealed is opened by this one: nodes of both serve side by side while a cluster is upgraded. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { StoredFile } from '#src/files.js';
import type { QueryTask } from '#src/model.js';
import {
  createSealer,
  decodePending,
  decodePrepared,
  decodeSession,
  decodeSessionState,
  decodeTicket,
  encodeTicket,
  openTicket,
  TICKET_VERSION,
  type Ticket,
  taskVersion,
} from '#src/wire/index.js';

type Purpose = 'ticket' | 'prepared' | 'session' | 'options' | 'poll';

interface Golden {
  readonly keyId: string;
  readonly key: string;
  readonly sealed: readonly { readonly purpose: Purpose; readonly name: string; readonly sealed: string; readonly content: unknown }[];
}

const golden = JSON.parse(readFileSync(new URL('../../cases/sealed-by-0-1-0.json', import.meta.url), 'utf8')) as Golden;
const sealer = createSealer([{ id: golden.keyId, key: Buffer.from(golden.key, 'base64') }]);
const decoders = {
  ticket: decodeTicket,
  prepared: decodePrepared,
  session: decodeSession,
  options: decodeSessionState,
  poll: decodePending,
};

/** As the golden file writes bytes. */
function written(value: unknown): unknown {
  if (value instanceof Uint8Array) return { base64: Buffer.from(value).toString('base64') };
  if (Array.isArray(value)) return value.map(written);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, written(item)]));
}

test.each(golden.sealed)('a $purpose ($name) of release 0.1.0 is opened whole', ({ purpose, sealed, content }) => {
  const opened = decoders[purpose](sealer.open(purpose, Buffer.from(sealed, 'base64')));
  expect(written(opened)).toEqual(sinceScans(content));
});

/** What a share reads is a scan by now, of no columns: its statements name the files themselves. */
function sinceScans(content: unknown): unknown {
  const ticket = content as { task?: QueryTask & { files?: readonly StoredFile[] } };
  if (ticket.task?.files === undefined) return content;
  const { files, ...task } = ticket.task;
  const dataset = task.datasets[0];
  const parts = [{ files, missing: [] }];
  const scan = { dataset, relation: '', format: 'parquet', hivePartitioning: false, columns: [], parts };
  return { ...ticket, task: { ...task, catalog: { ...task.catalog, scans: [scan] } } };
}

test('a ticket that needs a newer release is refused in words, before anything else of it is read', () => {
  const { content } = golden.sealed[0] as { content: Ticket };
  const newer = Buffer.concat([
    encodeTicket({ ...content, task: { kind: 'inline', ipc: Buffer.of(1) } }),
    Buffer.from([0x70, TICKET_VERSION + 1]),
  ]);
  expect(() => decodeTicket(newer)).toThrow(
    expect.objectContaining({ code: 'ticket.version', message: expect.stringContaining('newer release') }),
  );
  const known = Buffer.concat([newer, Buffer.from([0x70, TICKET_VERSION])]);
  expect(decodeTicket(known).task.kind).toBe('inline');
});

test('only what an earlier release would misread asks for a newer one', () => {
  const query = { ...(golden.sealed[0] as { content: Ticket }).content.task, schema: new Uint8Array() } as QueryTask;
  const scanning: QueryTask = { ...query, catalog: { ...query.catalog, scans: [] } };
  expect(taskVersion(query)).toBe(1);
  expect(taskVersion(scanning)).toBe(2);
  expect(taskVersion({ kind: 'command', command: { kind: 'none' }, query: scanning })).toBe(2);
  expect(taskVersion({ kind: 'command', command: { kind: 'none' }, query: null })).toBe(1);
  expect(taskVersion({ kind: 'inline', ipc: new Uint8Array() })).toBe(1);
});

test('tickets of release 0.1.0 hold for their principal and cluster alone', () => {
  const [ticket] = golden.sealed;
  const sealed = Buffer.from(ticket?.sealed ?? '', 'base64');
  const nowMs = Date.UTC(2099, 0, 1);
  expect(openTicket(sealer, sealed, { cluster: 'local', subject: 'ada', nowMs }).subject).toBe('ada');
  expect(() => openTicket(sealer, sealed, { cluster: 'other', subject: 'ada', nowMs })).toThrow('another cluster');
  expect(() => openTicket(sealer, sealed, { cluster: 'local', subject: 'eve', nowMs })).toThrow('another principal');
  expect(() => openTicket(sealer, sealed, { cluster: 'local', subject: 'ada', nowMs: Date.UTC(2101, 0, 1) })).toThrow('expired');
});
