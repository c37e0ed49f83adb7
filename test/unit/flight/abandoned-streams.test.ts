import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const PROGRAM = fileURLToPath(new URL('../../support/abandoned-streams.mjs', import.meta.url));
/** A lost reset ends in memory without end: the program shall meet a limit before the machine does. */
const MEMORY_KB = 6_000_000;

test('a result that another request of the same connection gives up ends with CANCEL, every time', async () => {
  const script = `ulimit -v ${MEMORY_KB} && exec "$0" "$1"`;
  const { stdout } = await promisify(execFile)('sh', ['-c', script, process.execPath, PROGRAM], {
    timeout: 120_000,
    killSignal: 'SIGKILL',
  });
  expect(stdout).toBe('200 results ended with code 8\n');
});
