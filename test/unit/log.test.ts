import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';

/** The lines that a script writes to stderr. */
function linesOf(level: string, script: string): Record<string, unknown>[] {
  const whole = `import { createLogger } from '#src/log.js'; const log = createLogger('${level}'); ${script}`;
  const output = execFileSync('sh', ['-c', 'node --input-type=module -e "$SCRIPT" 2>&1 >/dev/null'], {
    env: { ...process.env, SCRIPT: whole },
  }).toString();
  return output
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
}

test('lines go to stderr, as JSON, from the level on', () => {
  const lines = linesOf('info', `log.info({ user: 'ada', requestId: '7' }, 'signed in'); log.debug('not shown');`);
  expect(lines).toMatchObject([{ msg: 'signed in', user: 'ada', requestId: '7' }]);
  expect(lines).toHaveLength(1);
});

test('credentials do not show at any depth, whatever the spelling', () => {
  const lines = linesOf(
    'info',
    `log.info({ password: 'hunter2', call: { headers: [{ Authorization: 'Bearer hunter2' }, { 'set-cookie': ['hunter2'] }] },
      session: { accessToken: 'hunter2', 'auth-token-bin': 'hunter2', clusterKey: 'hunter2', passwordHash: 'hunter2' },
      a: { b: { c: { d: { e: { f: { g: 'hunter2' } } } } } }, ticket: Buffer.from('hunter2'), body: Buffer.from('hunter2'), method: 'DoGet' }, 'x');`,
  );
  expect(JSON.stringify(lines)).not.toMatch(/hunter2/);
  expect(JSON.stringify(lines)).not.toContain(Buffer.from('hunter2').toString('base64'));
  expect(lines[0]).toMatchObject({ password: '[Redacted]', method: 'DoGet', body: '7 bytes' });
});

test('errors show what they are and where, not what hangs on them', () => {
  const lines = linesOf(
    'info',
    `log.error({ err: Object.assign(new TypeError('odd', { cause: new Error('deeper') }), { code: 'E_ODD', metadata: { x: 'hunter2' } }) }, 'failed');
     log.error({ err: { token: 'hunter2' } }, 'failed'); log.error({ err: null }, 'failed');`,
  );
  expect(lines[0]?.['err']).toMatchObject({
    type: 'TypeError',
    message: 'odd',
    code: 'E_ODD',
    cause: 'deeper',
    stack: expect.stringContaining('odd'),
  });
  expect(JSON.stringify(lines)).not.toContain('hunter2');
});
