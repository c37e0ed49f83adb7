import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';

test('lines go to stderr, as JSON, without credentials', () => {
  const script = `
    import { createLogger } from '#src/log.js';
    const log = createLogger('info');
    log.info({ password: 'hunter2', authorization: 'Bearer hunter2', call: { authorization: 'hunter2' }, user: 'ada' }, 'signed in');
    log.debug('not shown');`;
  const output = execFileSync('sh', ['-c', 'node --input-type=module -e "$SCRIPT" 2>&1 >/dev/null'], {
    env: { ...process.env, SCRIPT: script },
  }).toString();
  expect(output.trim().split('\n')).toHaveLength(1);
  expect(JSON.parse(output)).toMatchObject({ msg: 'signed in', user: 'ada', password: '[Redacted]' });
  expect(output).not.toContain('hunter2');
});
