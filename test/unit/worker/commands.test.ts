import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Command, QueryTask } from '#src/model.js';
import { type CommandResult, createCommandRunner, type StewardPorts } from '#src/worker/index.js';
import { ADA, EVE, QUERY } from './fixture.ts';
import { openWorld, type ScratchWorld } from './scratch-fixture.ts';

let world: ScratchWorld;

beforeEach(async () => {
  world = await openWorld();
});

afterEach(async () => {
  await expect.poll(() => world.leftovers()).toEqual([]);
  await expect.poll(() => world.counts.leased).toBe(0);
  await world[Symbol.asyncDispose]();
});

const T = { schema: 'scratch', name: 't' };
const refuse = async (): Promise<never> => expect.fail('nobody asked for it');
const NO_STEWARD: StewardPorts = { register: refuse, refresh: refuse, pin: refuse, workers: refuse, cache: refuse };
const query = (...statements: string[]): QueryTask => ({ ...QUERY, statements });
const create = (ifExists: 'fail' | 'replace' | 'keep' = 'fail'): Command => ({ kind: 'createTable', table: T, ifExists });
const insert = (...columns: string[]): Command => ({ kind: 'insert', table: T, columns });
const drop = (ifExists = false): Command => ({ kind: 'dropTable', table: T, ifExists });

function run(
  command: Command,
  task: QueryTask | null = null,
  principal = ADA,
  signal = new AbortController().signal,
): Promise<CommandResult> {
  const runner = createCommandRunner({
    ...world.ports,
    scans: { verify: async () => {} },
    steward: NO_STEWARD,
    runTokenCommand: async ({ kind }) => ({ rows: [{ name: kind }] }),
  });
  return runner({ command, query: task, principal, policy: world.inForce(), signal });
}

test('a table is made of all statements, with the lineage of what they read, and is in force afterwards', async () => {
  expect(await run(create(), query('SELECT 1 AS a', 'SELECT 2'))).toEqual({ count: 2 });
  expect(await world.rows('t')).toEqual([[1n], [2n]]);
  expect(world.scratch.find('ada', 't')).toMatchObject({
    rows: 2,
    columns: [{ name: 'a', type: 'INTEGER' }],
    lineage: world.rights.lineage,
  });
  expect(world.counts.settled).toBe(1);
});

test('what is there is kept, replaced or in the way', async () => {
  await run(create(), query('SELECT 1 AS a'));
  expect(await run(create('keep'), query('SELECT 2 AS a'))).toEqual({ count: 0 });
  await expect(run(create(), query('SELECT 2 AS a'))).rejects.toMatchObject({ code: 'dataset.exists' });
  expect(await world.rows('t')).toEqual([[1n]]);
  expect(await run(create('replace'), query("SELECT 'x' AS b"))).toEqual({ count: 1 });
  expect(await world.rows('t')).toEqual([['x']]);
});

describe('rows', () => {
  beforeEach(async () => {
    await run(create(), query("SELECT 1::BIGINT AS a, 'x' AS b"));
  });

  test('are added in the order of the statements, by place or by name', async () => {
    expect(await run(insert(), query("SELECT 2, 'y'", "SELECT 3, 'z'"))).toEqual({ count: 2 });
    expect(await run(insert('B'), query("SELECT 'w'"))).toEqual({ count: 1 });
    expect(await world.rows('t')).toEqual([
      [1n, 'x'],
      [2n, 'y'],
      [3n, 'z'],
      [null, 'w'],
    ]);
  });

  test('of a large batch go into few files', async () => {
    expect(await run(insert(), query(...Array.from({ length: 200 }, (_, i) => `SELECT ${i}, 'n'`)))).toEqual({ count: 200 });
    expect(world.scratch.find('ada', 't')?.parts.length).toBeLessThan(8);
  });

  test.each([
    ['too many columns', insert(), "SELECT 1, 'a', 2"],
    ['too few', insert(), 'SELECT 1'],
    ['a column that is not there', insert('c'), 'SELECT 1'],
    ['a column named twice', insert('a', 'A'), 'SELECT 1, 2'],
  ])('with %s are refused', async (_, command, sql) => {
    await expect(run(command, query(sql))).rejects.toMatchObject({ code: 'sql.binding' });
    expect(await world.rows('t')).toHaveLength(1);
  });

  test('that fail half way change nothing', async () => {
    await expect(run(insert(), query("SELECT 2, 'y'", "SELECT 'no', 'number'"))).rejects.toMatchObject({ code: 'sql.runtime' });
    expect(await world.rows('t')).toHaveLength(1);
  });

  test("do not go into another's table of that name, and others do not drop it", async () => {
    await expect(run(insert(), query("SELECT 2, 'y'"), EVE)).rejects.toMatchObject({ code: 'dataset.unknown' });
    await expect(run(drop(), null, EVE)).rejects.toMatchObject({ code: 'dataset.unknown' });
    expect(await run(drop(true), null, EVE)).toEqual({ count: 0 });
    expect(await world.rows('t')).toHaveLength(1);
  });

  test('at the same time are all kept', async () => {
    await Promise.all(Array.from({ length: 8 }, (_, i) => run(insert(), query(`SELECT ${i}, 'n'`))));
    expect(await world.rows('t')).toHaveLength(9);
  });
});

test('dropping ends it, also for who may not make tables any more', async () => {
  await run(create(), query('SELECT 1 AS a'));
  world.rights.create = false;
  expect(await run(drop())).toEqual({ count: 0 });
  await expect(run(drop())).rejects.toMatchObject({ code: 'dataset.unknown' });
  expect(world.counts.settled).toBe(2);
});

describe('refused', () => {
  test.each([
    ['another schema', { schema: 'demo', name: 't' }],
    ['no schema', { schema: '', name: 't' }],
  ])('is %s, for every command', async (_, table) => {
    for (const command of [create(), insert(), drop(true)])
      await expect(run({ ...command, table } as Command, query('SELECT 1 AS a'))).rejects.toMatchObject({ code: 'policy.denied' });
  });

  test('is everything where there is no scratch schema', async () => {
    world.rights.scratchSchema = null;
    for (const command of [create(), insert(), drop(true)])
      await expect(run(command, query('SELECT 1 AS a'))).rejects.toMatchObject({ code: 'request.unimplemented' });
  });

  test('is making without the right', async () => {
    world.rights.create = false;
    await expect(run(create(), query('SELECT 1 AS a'))).rejects.toMatchObject({ code: 'policy.denied' });
  });

  test.each([
    ['two columns of one name', 'SELECT 1 AS a, 2 AS A', 'sql.binding'],
    ['a failure on the data', "SELECT 'secret'::INTEGER AS a", 'sql.runtime'],
  ])('is %s', async (_, sql, code) => {
    await expect(run(create(), query(sql))).rejects.toMatchObject({ code: expect.stringMatching(code) });
    expect(world.scratch.tables()).toEqual([]);
  });

  test('is a command that needs a query and has none', async () => {
    await expect(run(create())).rejects.toMatchObject({ code: 'ticket.invalid' });
  });
});

test('statements about tokens go to their own runner', async () => {
  expect(await run({ kind: 'showTokens' })).toEqual({ rows: [{ name: 'showTokens' }] });
});

test('a signal ends it and leaves nothing', async () => {
  const abort = new AbortController();
  const endless = query('SELECT count(*) AS n FROM range(1000000000) a, range(1000000) b');
  const running = run(create(), endless, ADA, abort.signal);
  abort.abort();
  await expect(running).rejects.toMatchObject({ code: 'request.cancelled' });
});
