/** Tests run the built product: `#src/*.js` resolves to dist/ and is loaded by Node itself, never transformed. */
import { defineConfig, type ViteUserConfig } from 'vitest/config';

/** For what must happen: only a failure takes so long, on whatever machine. */
const patient = { poll: { timeout: 60_000, interval: 50 } };
const native = { deps: { external: [/\/dist\//, /\/node_modules\//] } };

const config: ViteUserConfig = defineConfig({
  test: {
    reporters: ['default', './test/support/protocol-reporter.ts', './test/support/summary-reporter.ts'],
    passWithNoTests: false,
    pool: 'forks',
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/*.test.ts', 'test/unit/**/*.test.ts'],
          server: native,
          expect: patient,
          // Long enough for a machine that is busy with other things.
          testTimeout: 300_000,
          hookTimeout: 300_000,
          maxWorkers: 2,
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          name: 'service',
          include: ['test/{cases,contracts,service,conformance}/**/*.test.ts'],
          server: native,
          expect: patient,
          testTimeout: 300_000,
          hookTimeout: 300_000,
          // One server with its engine threads at a time: they fill a small machine on their own.
          maxWorkers: 1,
          fileParallelism: false,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});

export default config;
