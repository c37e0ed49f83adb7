/**
 * Prints `N passed, N failed` as the very last line, for scripts. A skipped test (unless a name filter asked for it), a broken file, a
 * stray error or another reporter's objection counts as failed.
 */
import type { Reporter, SerializedError, TestModule, TestRunEndReason, Vitest } from 'vitest/node';

export default class SummaryReporter implements Reporter {
  #filtered = false;

  onInit(vitest: Vitest): void {
    this.#filtered = vitest.config.testNamePattern !== undefined;
  }

  onTestRunEnd(modules: readonly TestModule[], errors: readonly SerializedError[], reason: TestRunEndReason): void {
    let passed = 0;
    let failed = errors.length;
    for (const module of modules) {
      failed += module.errors().length;
      for (const test of module.children.allTests()) {
        const { state } = test.result();
        if (state === 'passed') passed += 1;
        else if (!(this.#filtered && state === 'skipped')) failed += 1;
      }
    }
    if (reason !== 'passed' && failed === 0) failed = 1;
    // The default reporter prints its own summary on the same event; exit time is later than all of them.
    process.once('exit', (code) => process.stdout.write(`${passed} passed, ${code === 0 ? failed : Math.max(failed, 1)} failed\n`));
  }
}
