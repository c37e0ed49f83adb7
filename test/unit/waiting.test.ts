import { getEventListeners } from 'node:events';
import { expect, test } from 'vitest';
import { orAbort, withinTime } from '#src/waiting.js';

test('takes the promise or the abort, whichever is first, and leaves no listener', async () => {
  const controller = new AbortController();
  expect(await orAbort(Promise.resolve(1), controller.signal)).toBe(1);
  await expect(orAbort(Promise.reject(new Error('own')), controller.signal)).rejects.toThrow('own');
  const waiting = orAbort(new Promise(() => {}), controller.signal);
  expect(getEventListeners(controller.signal, 'abort')).toHaveLength(1);
  controller.abort(new Error('reason'));
  await expect(waiting).rejects.toThrow('reason');
  await expect(orAbort(new Promise(() => {}), controller.signal)).rejects.toThrow('reason');
  expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0);
});

test('a promise that fails after the abort is not left unhandled', async () => {
  const controller = new AbortController();
  let fail = (_: Error): void => {};
  const late = new Promise((_, reject) => {
    fail = reject;
  });
  const waiting = orAbort(late, controller.signal);
  controller.abort(new Error('reason'));
  await expect(waiting).rejects.toThrow('reason');
  fail(new Error('late'));
  await new Promise((resolve) => setImmediate(resolve));
});

test('takes the promise or a TimeoutError', async () => {
  expect(await withinTime(Promise.resolve(1), 60_000)).toBe(1);
  await expect(withinTime(Promise.reject(new Error('own')), 60_000)).rejects.toThrow('own');
  // Something else keeps the process alive meanwhile.
  const alive = setInterval(() => {}, 1000);
  await expect(withinTime(new Promise(() => {}), 1)).rejects.toMatchObject({ name: 'TimeoutError', message: 'no answer within 1 ms' });
  clearInterval(alive);
});
