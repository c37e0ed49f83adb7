import { tableFromArrays, tableToIPC } from 'apache-arrow';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createIngest } from '#src/worker/index.js';
import { ADA, EVE } from './fixture.ts';
import { wholeMessages } from './ipc-fixture.ts';
import { openWorld, type ScratchWorld } from './scratch-fixture.ts';

let world: ScratchWorld;

beforeEach(async () => {
  world = await openWorld({ bytesMax: 100_000 });
});

afterEach(async () => {
  await expect.poll(() => world.leftovers()).toEqual([]);
  await expect.poll(() => world.counts.leased).toBe(0);
  await world[Symbol.asyncDispose]();
});

const rows = (...values: readonly number[]): Uint8Array[] =>
  wholeMessages(tableToIPC(tableFromArrays({ n: Int32Array.from(values) }), 'stream'));

interface Options {
  readonly schema?: string;
  readonly ifExists?: 'fail' | 'append' | 'replace';
  readonly ifMissing?: 'create' | 'fail';
  readonly principal?: typeof ADA;
  readonly signal?: AbortSignal;
  /** Between the first message and the others. */
  readonly between?: () => void;
}

function send(messages: readonly Uint8Array[], options: Options = {}): Promise<number> {
  const { schema = 'scratch', ifExists = 'fail', ifMissing = 'create', principal = ADA, signal = new AbortController().signal } = options;
  async function* stream(): AsyncGenerator<Uint8Array> {
    for (const [i, message] of messages.entries()) {
      if (i === 1) options.between?.();
      yield message;
    }
  }
  const request = { table: { schema, name: 't' }, ifExists, ifMissing } as const;
  return createIngest(world.ports)({ request, principal, policy: world.inForce(), messages: stream(), signal });
}

test('rows are stored as their sender says, without lineage', async () => {
  await expect(send(rows(1), { ifMissing: 'fail' })).rejects.toMatchObject({ code: 'dataset.unknown' });
  expect(await send(rows(1, 2))).toBe(2);
  await expect(send(rows(3))).rejects.toMatchObject({ code: 'dataset.exists' });
  expect(await send(rows(3), { ifExists: 'append', schema: '' })).toBe(1);
  expect(await world.rows('t')).toEqual([[1n], [2n], [3n]]);
  expect(await send(rows(4), { ifExists: 'replace', ifMissing: 'fail' })).toBe(1);
  expect(await world.rows('t')).toEqual([[4n]]);
  expect(world.scratch.find('ada', 't')?.lineage).toEqual([]);
});

test('two that make and replace one table at once: the last one stays', async () => {
  expect(await Promise.all([send(rows(1, 2), { ifExists: 'replace' }), send(rows(3), { ifExists: 'replace' })])).toEqual([2, 1]);
  expect([[[1n], [2n]], [[3n]]]).toContainEqual(await world.rows('t'));
});

test("another's table of that name is not there", async () => {
  await send(rows(1));
  await expect(send(rows(2), { ifExists: 'append', ifMissing: 'fail', principal: EVE })).rejects.toMatchObject({ code: 'dataset.unknown' });
  expect(await send(rows(2), { ifExists: 'append', principal: EVE })).toBe(1);
  expect(await world.rows('t')).toEqual([[1n]]);
});

test('nothing is read where nothing may be written', async () => {
  const unread = async (options: Options) => {
    let read = 0;
    await expect(send(rows(1), { ...options, between: () => read++ })).rejects.toMatchObject({
      code: expect.stringMatching(/policy\.denied|request\.unimplemented/),
    });
    expect(read).toBe(0);
  };
  await unread({ schema: 'demo' });
  world.rights.create = false;
  await unread({});
  world.rights.scratchSchema = null;
  await unread({});
});

test('a right that is taken away while the rows come undoes them', async () => {
  await expect(send(rows(1), { between: () => (world.rights.create = false) })).rejects.toMatchObject({ code: 'policy.changed' });
  expect(world.scratch.tables()).toEqual([]);
});

test('a signal ends it', async () => {
  const abort = new AbortController();
  await expect(send(rows(1), { signal: abort.signal, between: () => abort.abort(new Error('cancelled')) })).rejects.toThrow('cancelled');
  expect(world.scratch.tables()).toEqual([]);
});

test('bad rows after good ones undo the good ones', async () => {
  const [schema = new Uint8Array(), batch = new Uint8Array()] = rows(...Array(100).keys());
  const bad = Uint8Array.from(batch).fill(255, 60);
  await expect(send([schema, batch, bad])).rejects.toMatchObject({ code: 'request.malformed' });
  expect(world.scratch.tables()).toEqual([]);
});
