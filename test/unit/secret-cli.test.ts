import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { openKeys } from '#src/cluster-keys.js';

const KEY = Buffer.alloc(32, 5);
const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url));

function sluice(
  args: readonly string[],
  input: string,
): { readonly status: number | null; readonly stdout: string; readonly stderr: string } {
  return spawnSync(process.execPath, [MAIN, ...args], {
    input,
    encoding: 'utf8',
    env: { ...process.env, SLUICE_CLUSTER_KEY: KEY.toString('base64') },
  });
}

it('seals what comes on stdin, and shows it nowhere', async () => {
  const { openSecret } = await openKeys({ clusterKey: KEY, stateDirectory: '/nowhere' });
  for (const input of ['hunter2', 'hunter2\n', 'hunter2\r\n']) {
    const { status, stdout, stderr } = sluice(['secret', 'seal'], input);
    expect([status, stderr]).toEqual([0, '']);
    expect(openSecret(stdout.trim())).toBe('hunter2');
    expect(stdout).not.toContain('hunter2');
  }
});

it.each([
  [['secret', 'seal'], ''],
  [['secret', 'seal'], '\n'],
  [['secret', 'seal'], 'two\nlines'],
  [['secret'], 'x'],
  [['secret', 'open'], 'x'],
])('%j with %j is refused', (args, input) => {
  const { status, stdout } = sluice(args, input);
  expect(status).toBe(1);
  expect(stdout).toBe('');
});
