import { writeFile } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ScratchDraft } from '#src/catalog/index.js';
import type { PolicyInForce } from '#src/worker/index.js';
import { checkColumns, parquetRelation, requireReadable, writeTable } from '#src/worker/scratch-writer.js';
import { ADA } from './fixture.ts';
import { openWorld, type ScratchWorld } from './scratch-fixture.ts';

let world: ScratchWorld;

beforeEach(async () => {
  world = await openWorld({ bytesMax: 1000 });
});

afterEach(async () => {
  await expect.poll(() => world.leftovers()).toEqual([]);
  await world[Symbol.asyncDispose]();
});

const FILLED = { mode: 'create', columns: [{ name: 'a', type: 'BIGINT' }], rows: 1 } as const;

function write(fill: (draft: ScratchDraft, signal: AbortSignal) => Promise<void>, signal = new AbortController().signal) {
  const request = { table: { schema: 'scratch', name: 't' }, principal: ADA, policy: world.inForce(), sources: ['d1'], signal };
  return writeTable(request, world.ports, async (draft, ended) => {
    await fill(draft, ended);
    return FILLED;
  });
}

const put = (text: string) => async (draft: ScratchDraft) => writeFile(draft.nextPart(), text);

test('what was written under a policy that stayed is a table with its lineage', async () => {
  expect(await write(put('x'))).toMatchObject({ owner: 'ada', name: 't', lineage: [{ dataset: 'd1', decision: 'h1' }], bytes: 1 });
});

describe('a policy that changes while it is written', () => {
  test.each([
    ['decides otherwise about a source', () => (world.rights.lineage = [{ dataset: 'd1', decision: 'h2' }])],
    ['has no such source any more', () => (world.rights.lineage = [])],
    ['takes the right away', () => (world.rights.create = false)],
  ])('and %s undoes it', async (_, change) => {
    const writing = write(async (draft) => {
      await put('x')(draft);
      change();
    });
    await expect(writing).rejects.toMatchObject({ code: 'policy.changed' });
    expect(world.scratch.tables()).toEqual([]);
  });
});

test('a write that outgrows its room is ended while it goes on', async () => {
  const writing = write(async (draft, signal) => {
    await put('x'.repeat(2000))(draft);
    await new Promise((resolve) => signal.addEventListener('abort', resolve));
    throw new Error('only the consequence');
  });
  await expect(writing).rejects.toMatchObject({ code: 'limit.scratch' });
});

test('a write that ends too large is refused', async () => {
  await expect(write(put('x'.repeat(2000)))).rejects.toMatchObject({ code: 'limit.scratch' });
});

test('a failure, and a signal that comes last, leave nothing', async () => {
  await expect(
    write(async (draft) => {
      await put('x')(draft);
      throw new Error('engine failure');
    }),
  ).rejects.toThrow('engine failure');
  const abort = new AbortController();
  const cancelled = write(async (draft) => {
    await put('x')(draft);
    abort.abort(new Error('cancelled'));
  }, abort.signal);
  await expect(cancelled).rejects.toThrow('cancelled');
  expect(world.scratch.tables()).toEqual([]);
});

test.each([
  ['no column', []],
  ['twins', ['a', 'A']],
  ['an empty name', ['a', '']],
  ['a control character', ['a\u0007']],
  ['half a character', ['a\ud800']],
])('columns with %s are refused', (_, names) => {
  expect(() => checkColumns(names.map((name) => ({ name, type: 'BIGINT' })))).toThrow(expect.objectContaining({ code: 'sql.binding' }));
});

test('a table that can not be read any more is not added to', async () => {
  const table = await write(put('x'));
  const policy = (effect: 'allow' | 'deny') =>
    ({
      snapshot: { datasets: [{ id: `scratch:${table.id}` }] },
      rights: { decide: () => ({ effect, reason: 'the policy of a source changed' }) },
    }) as unknown as PolicyInForce;
  expect(() => requireReadable(table, policy('deny'))).toThrow(expect.objectContaining({ code: 'policy.denied' }));
  expect(() => requireReadable(table, policy('allow'))).not.toThrow();
});

test('a path becomes a relation with its quotes doubled', () => {
  expect(parquetRelation("/a'b/part-*.parquet")).toBe("read_parquet('/a''b/part-*.parquet', hive_partitioning = false)");
});
