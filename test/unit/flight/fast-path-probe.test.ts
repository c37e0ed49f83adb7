import { expect, test } from 'vitest';
import { probeFastPath } from '#src/flight/fast-path-probe.js';
import { cpuMsOf } from '../../support/patience.ts';

test('the direct path works with the installed grpc-js, and the probe is quick', async () => {
  expect(await cpuMsOf(async () => expect(await probeFastPath()).toBe(true))).toBeLessThan(2000);
});
