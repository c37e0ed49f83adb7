/** The bench still runs: each of its servers and clients once, over hardly any data. What it measures here says nothing. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { beforeAll, expect, test } from 'vitest';

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL('../..', import.meta.url));

beforeAll(async () => {
  // The services of the tests, for programs that no test runner compiles; their types are checked elsewhere.
  await run('npx', ['tsc', '--noCheck', '-p', 'test/fleet/tsconfig.json'], { cwd: ROOT });
}, 1_200_000);

/** Every contender has a line in its table. */
test.each([
  [
    'bench/run.mjs',
    { Transport: ['pyarrow', 'Sluice'], Scan: ['pyarrow + DuckDB', 'Sluice'], Governed: ['Sluice, by hand', 'Sluice, governed'] },
  ],
  [
    'bench/fleet.mjs',
    {
      'SELECT *': ['pyarrow + DuckDB', 'DuckDB in the client, no server', 'Sluice', 'Sluice, SLUICE_RESULT_CACHE=12GB'],
      'one month': ['pyarrow + DuckDB', 'Sluice'],
      'One worker and three': ['1', '3'],
      'clients at once': ['Sluice, one process', 'Sluice, planner and three workers'],
      'Peak resident memory': ['planner', 'worker 3'],
      'Plans by number of files': ['10'],
    },
  ],
])('%s', { timeout: 1_200_000 }, async (script, tables) => {
  const { stdout } = await run(process.execPath, [script, '--tiny'], { cwd: ROOT });
  const sections = stdout.split('\n\n**').slice(1);
  for (const [title, labels] of Object.entries(tables)) {
    const section = sections.find((text) => text.split('**\n', 1)[0]?.includes(title));
    for (const label of labels) expect(section, `${title}: ${label}`).toContain(`\n| ${label} |`);
  }
  expect(stdout).not.toMatch(/NaN|undefined|Infinity/);
});
