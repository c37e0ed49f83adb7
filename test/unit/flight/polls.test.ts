import { expect, test } from 'vitest';
import { createPolls } from '#src/flight/polls.js';
import type { Plan } from '#src/planner/index.js';

const never = (): Promise<Plan> => new Promise(() => {});
const ready = async (): Promise<Plan> => ({}) as Plan;
const busy = expect.objectContaining({ code: 'limit.busy' });

test('a pending query belongs to its principal', () => {
  const polls = createPolls(() => 0);
  const { id } = polls.start('ada', never);
  expect(polls.find('ada', id)?.id).toBe(id);
  expect(polls.find('eve', id)).toBeUndefined();
  expect(polls.cancel('eve', id)).toBe(false);
  expect(polls.find('ada', 'another')).toBeUndefined();
  polls.drop(id);
  expect(polls.find('ada', id)).toBeUndefined();
});

test('who cancels is told so from then on', () => {
  const polls = createPolls(() => 0);
  const { id } = polls.start('ada', never);
  expect(polls.cancel('ada', id)).toBe(true);
  expect(() => polls.find('ada', id)).toThrow(expect.objectContaining({ code: 'request.cancelled' }));
  expect(polls.cancel('ada', 'another')).toBe(false);
});

test('so many are pending at once, of one and of all, and abandoned ones make room', () => {
  let now = 0;
  const polls = createPolls(() => now, { perPrincipal: 2, total: 3, ttlMs: 10, deliveredTtlMs: 5 });
  polls.start('ada', never);
  polls.start('ada', never);
  expect(() => polls.start('ada', never)).toThrow(busy);
  polls.start('eve', never);
  expect(() => polls.start('bob', never)).toThrow(busy);
  now = 10;
  expect(() => polls.start('ada', never)).not.toThrow();
});

test('a delivered one can be had again for a while', async () => {
  let now = 0;
  const polls = createPolls(() => now, { perPrincipal: 2, total: 3, ttlMs: 100, deliveredTtlMs: 5 });
  const { id, plan } = polls.start('ada', ready);
  await plan;
  polls.delivered(id);
  polls.start('ada', never);
  expect(polls.find('ada', id)?.id).toBe(id);
  now = 5;
  polls.start('eve', never);
  expect(polls.find('ada', id)).toBeUndefined();
});

test('who never asks again is not kept from asking: only what is being planned counts, and the oldest plan makes room', async () => {
  const polls = createPolls(() => 0, { perPrincipal: 2, total: 100, ttlMs: 100, deliveredTtlMs: 5 });
  const started = [polls.start('ada', ready), polls.start('ada', ready)];
  await Promise.all(started.map(({ plan }) => plan));
  const third = polls.start('ada', ready);
  expect(started.map(({ id }) => polls.find('ada', id)?.id)).toEqual([undefined, started[1]?.id]);
  expect(polls.find('ada', third.id)).toBeDefined();
});

test('a failure waits for whoever polls', async () => {
  const polls = createPolls(() => 0);
  const { plan } = polls.start('ada', () => Promise.reject(new Error('no')));
  await new Promise((resolve) => setTimeout(resolve, 5));
  await expect(plan).rejects.toThrow('no');
});
