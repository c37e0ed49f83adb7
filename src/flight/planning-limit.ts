/** Planning is cheap for an honest client and not for an attacker: what a principal plans at once is bounded, and takes its turn. */
import { randomUUID } from 'node:crypto';
import type { Principal } from '../model.ts';
import type { Planner } from '../planner/index.ts';
import type { Admission } from '../worker/index.ts';

/** `onPlanned` is told how long each successful plan took, without its wait. Calls then also reject with limit.busy. */
export function limitPlanning(planner: Planner, admission: Pick<Admission, 'admit'>, onPlanned: (ms: number) => void): Planner {
  const inTurn = async <T>(principal: Principal, plan: () => Promise<T>): Promise<T> => {
    // A plan is short, so nobody's cancel needs to end its wait. One for each: they would gather listeners.
    const never = new AbortController().signal;
    const permit = await admission.admit({ principal: principal.subject, queryId: randomUUID() }, never);
    try {
      const startedMs = performance.now();
      const planned = await plan();
      onPlanned(performance.now() - startedMs);
      return planned;
    } finally {
      permit.release();
    }
  };
  return {
    ...planner,
    plan: (request) => inTurn(request.principal, () => planner.plan(request)),
    prepare: (request) => inTurn(request.principal, () => planner.prepare(request)),
    planPrepared: (handle, principal, options) => inTurn(principal, () => planner.planPrepared(handle, principal, options)),
    schemaOf: (request) => inTurn(request.principal, () => planner.schemaOf(request)),
    schemaOfPrepared: (handle, principal, options) => inTurn(principal, () => planner.schemaOfPrepared(handle, principal, options)),
  };
}
