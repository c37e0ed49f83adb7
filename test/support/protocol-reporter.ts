/**
 * Compares the matrix in docs/protocol.md with what the conformance tests showed, when all of them ran and passed; with vitest's `-u` it writes it.
 * A difference fails the run.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Reporter, TestCase, TestModule, Vitest } from 'vitest/node';
import { type Claim, renderMatrix, unshownGaps } from './protocol.ts';

const CONFORMANCE = fileURLToPath(new URL('../conformance/', import.meta.url));
const DOCUMENT = fileURLToPath(new URL('../../docs/protocol.md', import.meta.url));
const MARKED = /(<!-- matrix: begin -->\n)[\s\S]*(\n<!-- matrix: end -->)/;
const REGENERATE = 'npx vitest run test/conformance -u';

export default class ProtocolReporter implements Reporter {
  #write = false;
  #filtered = false;

  onInit(vitest: Vitest): void {
    this.#write = vitest.config.snapshotOptions.updateSnapshot === 'all';
    this.#filtered = vitest.config.testNamePattern !== undefined;
  }

  onTestRunEnd(modules: readonly TestModule[]): void {
    const own = modules.filter(({ moduleId }) => moduleId.startsWith(CONFORMANCE));
    if (this.#filtered || !isWhole(own) || !own.every((module) => module.ok())) return;
    const claims = own.flatMap((module) => [...module.children.allTests()].flatMap(claimOf));
    const before = readFileSync(DOCUMENT, 'utf8');
    const after = before.replace(MARKED, (_, begin: string, end: string) => `${begin}${renderMatrix(claims)}${end}`);
    const problems = unshownGaps(claims).map((gap) => `gaps.json lists what no test shows: ${gap}`);
    if (after !== before && this.#write) writeFileSync(DOCUMENT, after);
    else if (after !== before) problems.push(`docs/protocol.md differs from what the clients showed; \`${REGENERATE}\` writes it again`);
    for (const problem of problems) process.stderr.write(`${problem}\n`);
    if (problems.length > 0) process.exitCode = 1;
  }
}

function claimOf(test: TestCase): readonly Claim[] {
  const { protocol } = test.meta();
  return protocol === undefined ? [] : [protocol];
}

function isWhole(modules: readonly TestModule[]): boolean {
  const ran = new Set(modules.map(({ moduleId }) => relative(CONFORMANCE, moduleId)));
  return readdirSync(CONFORMANCE, { encoding: 'utf8', recursive: true }).every((file) => !file.endsWith('.test.ts') || ran.has(file));
}
