import { expect, test } from 'vitest';
import { limitPlanning } from '#src/flight/index.js';
import type { Planner } from '#src/planner/index.js';

const principal = { subject: 'ada', groups: [], attributes: {} };
const options = {
  schema: null,
  form: { strings: 'utf8', enums: 'utf8', compression: 'none' },
  endpointsMax: 1,
  readsInOrder: true,
} as const;

function limited(fails: boolean) {
  const log: string[] = [];
  const answer = (name: string) => async (): Promise<never> => {
    log.push(name);
    if (fails) throw new Error('no plan');
    return name as never;
  };
  const names = ['plan', 'prepare', 'planPrepared', 'schemaOf', 'schemaOfPrepared', 'renew', 'visibleCatalog'] as const;
  const planner = Object.fromEntries(names.map((name) => [name, answer(name)])) as Partial<Planner> as Planner;
  const admission = {
    admit: async (request: { readonly principal: string }) => {
      log.push(`admit ${request.principal}`);
      return { release: () => void log.push('release') };
    },
  };
  return { log, planner: limitPlanning(planner, admission, () => log.push('planned')) };
}

const calls: Readonly<Record<string, (planner: Planner) => Promise<unknown>>> = {
  plan: (planner) => planner.plan({ principal, sql: 'SELECT 1', options }),
  prepare: (planner) => planner.prepare({ principal, sql: 'SELECT 1', options }),
  planPrepared: (planner) => planner.planPrepared(new Uint8Array(), principal, options),
  schemaOf: (planner) => planner.schemaOf({ principal, sql: 'SELECT 1', options }),
  schemaOfPrepared: (planner) => planner.schemaOfPrepared(new Uint8Array(), principal, options),
};

test.each(Object.entries(calls))('%s takes a place and gives it back', async (name, call) => {
  const { log, planner } = limited(false);
  expect(await call(planner)).toBe(name);
  expect(log).toEqual(['admit ada', name, 'planned', 'release']);
});

test.each(Object.entries(calls))('%s gives its place back when it fails', async (name, call) => {
  const { log, planner } = limited(true);
  await expect(call(planner)).rejects.toThrow('no plan');
  expect(log).toEqual(['admit ada', name, 'release']);
});

test('what does not plan needs no place', async () => {
  const { log, planner } = limited(false);
  await planner.visibleCatalog(principal);
  await planner.renew(new Uint8Array(), principal);
  expect(log).toEqual(['visibleCatalog', 'renew']);
});
