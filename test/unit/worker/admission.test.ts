import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { SluiceError } from '#src/errors.js';
import { type Admission, type AdmissionOptions, createAdmission, type Permit } from '#src/worker/admission.js';
import { SEED } from '../../support/seed.ts';

const LIMITS: AdmissionOptions = {
  noun: 'queries',
  running: 2,
  runningPerPrincipal: 2,
  waiting: 10,
  waitingPerPrincipal: 5,
  waitMs: 1000,
  streamsPerQuery: 16,
};

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** Asks for a place and shows what became of it. */
function ask(admission: Admission, principal: string, queryId: string) {
  const abort = new AbortController();
  const asked = { principal, queryId, abort, permit: null as Permit | null, error: null as unknown };
  admission.admit({ principal, queryId }, abort.signal).then(
    (permit) => {
      asked.permit = permit;
    },
    (error: unknown) => {
      asked.error = error;
    },
  );
  return asked;
}

async function settle(): Promise<void> {
  for (let i = 0; i < 5; i++) await Promise.resolve();
}

describe('places', () => {
  test('more queries than places wait and go in order', async () => {
    const admission = createAdmission(LIMITS);
    const asked = ['1', '2', '3', '4'].map((id) => ask(admission, 'ann', id));
    await settle();
    expect(asked.map(({ permit }) => permit !== null)).toEqual([true, true, false, false]);
    expect(admission.stats()).toMatchObject({ running: 2, waiting: 2 });
    asked[1]?.permit?.release();
    await settle();
    expect(asked.map(({ permit }) => permit !== null)).toEqual([true, true, true, false]);
  });

  test('a permit released twice gives one place', async () => {
    const admission = createAdmission({ ...LIMITS, running: 1 });
    const [first, second, third] = ['1', '2', '3'].map((id) => ask(admission, 'ann', id));
    await settle();
    first?.permit?.release();
    first?.permit?.release();
    await settle();
    expect([second?.permit !== null, third?.permit !== null]).toEqual([true, false]);
  });

  test('the streams of one query share its place until the last one ends', async () => {
    const admission = createAdmission({ ...LIMITS, running: 1 });
    const streams = Array.from({ length: 16 }, () => ask(admission, 'ann', 'q'));
    const other = ask(admission, 'ann', 'r');
    await settle();
    expect(streams.every(({ permit }) => permit !== null)).toBe(true);
    expect(admission.stats()).toMatchObject({ running: 1, waiting: 1 });
    for (const { permit } of streams.slice(1)) permit?.release();
    await settle();
    expect(other.permit).toBeNull();
    streams[0]?.permit?.release();
    await settle();
    expect(other.permit).not.toBeNull();
  });

  test('streams of a waiting query are let in together', async () => {
    const admission = createAdmission({ ...LIMITS, running: 1 });
    const first = ask(admission, 'ann', 'p');
    const streams = [ask(admission, 'ann', 'q'), ask(admission, 'ann', 'q'), ask(admission, 'ann', 'q')];
    await settle();
    expect(admission.stats()).toMatchObject({ running: 1, waiting: 1 });
    streams[0]?.abort.abort(new Error('gone'));
    first.permit?.release();
    await settle();
    expect(streams.map(({ permit }) => permit !== null)).toEqual([false, true, true]);
  });

  test('one ticket can not open streams without end', async () => {
    const admission = createAdmission({ ...LIMITS, streamsPerQuery: 3 });
    const streams = Array.from({ length: 4 }, () => ask(admission, 'ann', 'q'));
    await settle();
    expect(streams[3]?.error).toMatchObject({ code: 'limit.busy', message: expect.stringMatching(/3 streams of this query/) });
    streams[0]?.permit?.release();
    expect(admission.stats().running).toBe(1);
  });

  test('the same query id of two principals is two queries', async () => {
    const admission = createAdmission({ ...LIMITS, running: 1 });
    const [ann, bob] = [ask(admission, 'ann', 'q'), ask(admission, 'bob', 'q')];
    await settle();
    expect([ann.permit !== null, bob.permit !== null]).toEqual([true, false]);
  });
});

describe('fairness', () => {
  test('principals take turns whoever queued more', async () => {
    const admission = createAdmission({ ...LIMITS, running: 1, waiting: 100, waitingPerPrincipal: 50 });
    const order: string[] = [];
    const all = [
      ...Array.from({ length: 20 }, (_, i) => ask(admission, 'greedy', `g${i}`)),
      ...Array.from({ length: 3 }, (_, i) => ask(admission, 'modest', `m${i}`)),
      ask(admission, 'shy', 's0'),
    ];
    for (let round = 0; round < 24; round++) {
      await settle();
      const running = all.find(({ permit, queryId }) => permit !== null && !order.includes(queryId));
      order.push(running?.queryId ?? '');
      running?.permit?.release();
    }
    expect(order.slice(0, 8)).toEqual(['g0', 'g1', 'm0', 's0', 'g2', 'm1', 'g3', 'm2']);
    expect(order.slice(8)).toEqual(Array.from({ length: 16 }, (_, i) => `g${i + 4}`));
  });

  test('a principal at its own limit leaves free places to others', async () => {
    const admission = createAdmission({ ...LIMITS, running: 10, runningPerPrincipal: 2 });
    const greedy = ['1', '2', '3'].map((id) => ask(admission, 'greedy', id));
    const modest = ask(admission, 'modest', '1');
    await settle();
    expect(greedy.map(({ permit }) => permit !== null)).toEqual([true, true, false]);
    expect(modest.permit).not.toBeNull();
  });
});

describe('refusals', () => {
  test('a full queue of one principal, and of everybody', async () => {
    const admission = createAdmission({ ...LIMITS, running: 1, waiting: 3, waitingPerPrincipal: 2 });
    const ann = ['1', '2', '3', '4'].map((id) => ask(admission, 'ann', id));
    const bob = ['1', '2'].map((id) => ask(admission, 'bob', id));
    await settle();
    expect(ann[3]?.error).toMatchObject({ code: 'limit.busy', message: expect.stringMatching(/2 may wait for one principal.*try again/) });
    expect(bob[0]?.error).toBeNull();
    expect(bob[1]?.error).toMatchObject({ code: 'limit.busy', message: expect.stringMatching(/^the server is busy.*3 wait.*try again/) });
  });

  test('a wait that takes too long', async () => {
    const admission = createAdmission({ ...LIMITS, running: 1 });
    const [first, second] = [ask(admission, 'ann', '1'), ask(admission, 'bob', '2')];
    await settle();
    await vi.advanceTimersByTimeAsync(999);
    expect(second.error).toBeNull();
    await vi.advanceTimersByTimeAsync(1);
    expect(second.error).toMatchObject({ code: 'limit.busy', message: expect.stringMatching(/within 1 s/) });
    expect(admission.stats()).toMatchObject({ running: 1, waiting: 0 });
    first.permit?.release();
    expect(admission.stats()).toMatchObject({ running: 0, waiting: 0 });
    expect(vi.getTimerCount()).toBe(0);
  });

  test('an aborted wait rejects with its reason, also when the turn came at the same moment', async () => {
    const admission = createAdmission({ ...LIMITS, running: 1 });
    const [first, second, third] = ['1', '2', '3'].map((id) => ask(admission, 'ann', id));
    await settle();
    first?.permit?.release();
    const gone = new SluiceError('request.cancelled', 'gone');
    second?.abort.abort(gone);
    await settle();
    expect(second?.error).toBe(gone);
    expect(third?.permit).not.toBeNull();
    await expect(admission.admit({ principal: 'ann', queryId: '9' }, AbortSignal.abort(gone))).rejects.toBe(gone);
  });

  test('a closed server lets nobody new in, but the streams of what runs', async () => {
    let closed: SluiceError | null = null;
    const admission = createAdmission({ ...LIMITS, closed: () => closed });
    ask(admission, 'ann', '1');
    closed = new SluiceError('limit.memory', 'full');
    const [join, fresh] = [ask(admission, 'ann', '1'), ask(admission, 'ann', '2')];
    await settle();
    expect(join.permit).not.toBeNull();
    expect(fresh.error).toBe(closed);
  });

  test('waits are told', async () => {
    const waited: number[] = [];
    const admission = createAdmission({ ...LIMITS, onAdmitted: (ms) => waited.push(ms) });
    ask(admission, 'ann', '1');
    await settle();
    expect(waited).toHaveLength(1);
  });
});

type Step =
  | { readonly do: 'ask'; readonly principal: string; readonly query: number }
  | { readonly do: 'release' | 'abort'; readonly index: number }
  | { readonly do: 'wait'; readonly ms: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('ask' as const), principal: fc.constantFrom('a', 'b', 'c'), query: fc.nat(30) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constantFrom('release' as const, 'abort' as const), index: fc.nat(60) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.nat(700) }) },
);

const MODEL = { ...LIMITS, running: 3, runningPerPrincipal: 2, waiting: 6, waitingPerPrincipal: 4, streamsPerQuery: 3 };

/** Takes steps and keeps its own account of who should hold what. */
class Walk {
  readonly admission = createAdmission(MODEL);
  readonly asked: ReturnType<typeof ask>[] = [];
  readonly #released = new Set<unknown>();

  async take(now: Step): Promise<void> {
    if (now.do === 'ask') this.asked.push(ask(this.admission, now.principal, String(now.query)));
    else if (now.do === 'wait') await vi.advanceTimersByTimeAsync(now.ms);
    else this.#end(now);
  }

  #end({ do: how, index }: Extract<Step, { index: number }>): void {
    const one = this.asked[index % Math.max(1, this.asked.length)];
    if (how === 'abort') one?.abort.abort(new SluiceError('request.cancelled', 'gone'));
    if (how === 'abort' || !one?.permit) return;
    one.permit.release();
    this.#released.add(one);
  }

  holding() {
    return this.asked.filter((one) => one.permit !== null && !this.#released.has(one));
  }

  queue() {
    return this.asked.filter((one) => one.permit === null && one.error === null);
  }

  async endAll(): Promise<void> {
    for (const one of this.queue()) one.abort.abort(new Error('end'));
    await settle();
    for (const one of this.asked) one.permit?.release();
  }
}

function queriesOf(asked: readonly { readonly principal: string; readonly queryId: string }[]): ReadonlySet<string> {
  return new Set(asked.map(({ principal, queryId }) => `${principal}/${queryId}`));
}

/** At rest: what is counted is what is held, within limits, and nobody waits who could run. */
function expectConsistent(walk: Walk): void {
  const running = queriesOf(walk.holding());
  expect(walk.admission.stats()).toMatchObject({ running: running.size, waiting: queriesOf(walk.queue()).size });
  const runningOf = (principal: string): number => [...running].filter((key) => key.startsWith(`${principal}/`)).length;
  for (const principal of ['a', 'b', 'c']) expect(runningOf(principal)).toBeLessThanOrEqual(MODEL.runningPerPrincipal);
  if (running.size < MODEL.running) for (const { principal } of walk.queue()) expect(runningOf(principal)).toBe(MODEL.runningPerPrincipal);
}

test('whatever happens: limits hold, free places are taken and nothing is lost', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(step, fc.boolean()), { maxLength: 80 }), async (steps) => {
      const walk = new Walk();
      for (const [now, pause] of steps) {
        await walk.take(now);
        if (pause) await settle();
        expect(walk.admission.stats().running).toBeLessThanOrEqual(MODEL.running);
        expect(walk.admission.stats().waiting).toBeLessThanOrEqual(MODEL.waiting);
      }
      await settle();
      expectConsistent(walk);
      await walk.endAll();
      expect(walk.admission.stats()).toMatchObject({ running: 0, waiting: 0 });
      expect(vi.getTimerCount()).toBe(0);
    }),
    { seed: SEED, numRuns: 500 },
  );
});

describe('memory of open results', () => {
  const MEMORY = { ...LIMITS, running: 100, runningPerPrincipal: 100, memory: { max: 100, firstStream: 20, nextStream: 5 } };

  test('is shared: one principal has half of it, and queries beyond it wait', async () => {
    const admission = createAdmission(MEMORY);
    const ann = ['1', '2', '3'].map((id) => ask(admission, 'ann', id));
    const others = ['bob', 'cid', 'dan', 'eve'].map((name) => ask(admission, name, name));
    await settle();
    expect(ann.map(({ permit }) => permit !== null)).toEqual([true, true, false]);
    expect(others.map(({ permit }) => permit !== null)).toEqual([true, true, true, false]);
    expect(admission.stats()).toEqual({ running: 5, waiting: 2, bytes: 100 });
    others[0]?.permit?.release();
    await settle();
    expect([ann[2]?.permit !== null, others[3]?.permit !== null]).toEqual([false, true]);
    ann[0]?.permit?.release();
    await settle();
    expect(ann[2]?.permit).not.toBeNull();
  });

  test('further streams of a query never wait, but count', async () => {
    const admission = createAdmission(MEMORY);
    const streams = Array.from({ length: 16 }, () => ask(admission, 'ann', 'q'));
    const other = ask(admission, 'bob', 'r');
    await settle();
    expect(streams.every(({ permit }) => permit !== null)).toBe(true);
    expect([other.permit, admission.stats().bytes]).toEqual([null, 20 + 15 * 5]);
    for (const { permit } of streams.slice(0, 4)) permit?.release();
    await settle();
    expect(other.permit).not.toBeNull();
    for (const { permit } of [...streams, other]) permit?.release();
    expect(admission.stats()).toEqual({ running: 0, waiting: 0, bytes: 0 });
  });

  test('streams that wait together count when their query begins', async () => {
    const admission = createAdmission({ ...MEMORY, running: 1 });
    const first = ask(admission, 'ann', 'p');
    const waiting = [ask(admission, 'ann', 'q'), ask(admission, 'ann', 'q')];
    await settle();
    expect(admission.stats().bytes).toBe(20);
    first.permit?.release();
    await settle();
    expect(admission.stats()).toEqual({ running: 1, waiting: 0, bytes: 25 });
    for (const { permit } of waiting) permit?.release();
    expect(admission.stats().bytes).toBe(0);
  });

  test('a single query runs however little there is', async () => {
    const admission = createAdmission({ ...MEMORY, memory: { max: 1, firstStream: 20, nextStream: 5 } });
    const [one, two] = [ask(admission, 'ann', '1'), ask(admission, 'bob', '2')];
    await settle();
    expect([one.permit !== null, two.permit !== null]).toEqual([true, false]);
    one.permit?.release();
    await settle();
    expect(two.permit).not.toBeNull();
  });
});
