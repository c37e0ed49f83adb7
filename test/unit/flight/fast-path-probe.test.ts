import { expect, test } from 'vitest';
import { probeFastPath } from '#src/flight/fast-path-probe.js';

test('the direct path works with the installed grpc-js, and the probe is quick', async () => {
  const start = performance.now();
  expect(await probeFastPath()).toBe(true);
  expect(performance.now() - start).toBeLessThan(2000);
});
