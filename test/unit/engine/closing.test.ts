import { setImmediate } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { Engine } from '#src/engine/index.js';
import { SluiceError } from '#src/errors.js';
import { catalogOf, never, startEngine } from './fixtures.ts';

/** `ran`, or the code of the refusal. */
async function outcome(work: Promise<unknown>): Promise<string> {
  try {
    const result = await work;
    if (typeof result === 'object' && result !== null && Symbol.asyncDispose in result)
      await (result as AsyncDisposable)[Symbol.asyncDispose]();
    return 'ran';
  } catch (error) {
    return error instanceof SluiceError ? error.code : String(error);
  }
}

const query = (engine: Engine, name: string): Promise<string> => outcome(engine.run(catalogOf(name), 'SELECT 1 AS x', never()));

// A connection to a database that is gone ends the process.
test.each([0, 1, 2, 3, 5, 8, 20])('what comes while the engine closes runs or is cancelled, %i turns after others', async (turns) => {
  for (let round = 0; round < 5; round++) {
    const engine = await startEngine();
    const queries = ['a', 'b', 'c', 'd'].map((name) => query(engine, name));
    for (let turn = 0; turn < turns; turn++) await setImmediate();
    const closed = engine[Symbol.asyncDispose]();
    queries.push(query(engine, 'a'), query(engine, 'e'));
    const kept = outcome(engine.keep('k', 'SELECT 1 AS x', never()));
    await closed;
    queries.push(query(engine, 'a'), query(engine, 'f'));
    for (const each of await Promise.all(queries)) expect(['ran', 'request.cancelled']).toContain(each);
    await kept;
  }
});

test('nothing starts on a closed engine', async () => {
  const engine = await startEngine();
  await engine[Symbol.asyncDispose]();
  expect(await outcome(engine.columns('(SELECT 1 AS x)'))).toBe('server.internal');
  expect(await outcome(engine.files('/nowhere/*', 1))).toBe('server.internal');
  expect(engine.stats().threads).toBe(0);
});
