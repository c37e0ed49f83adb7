import { mkdtempSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { openKeys, openKeysIfThere } from '#src/cluster-keys.js';

const at = (fill: number) => ({ clusterKey: Buffer.alloc(32, fill), stateDirectory: '/nowhere' });
const stateDirectory = (): string => mkdtempSync(join(tmpdir(), 'sluice-keys-'));

it('a sealed secret opens with the key it was sealed with, and with no other', async () => {
  const sealed = (await openKeys(at(1))).sealSecret('hunter2 ✓');
  expect(sealed).toMatch(/^sealed:[A-Za-z0-9_-]+$/);
  expect(Buffer.from(sealed.slice(7), 'base64url').toString('latin1')).not.toContain('hunter2');
  expect((await openKeys(at(1))).openSecret(sealed)).toBe('hunter2 ✓');
  const other = await openKeys(at(2));
  for (const text of [sealed, 'sealed:', 'sealed:abc', `${sealed}A`]) {
    let error: unknown;
    try {
      other.openSecret(text);
    } catch (caught) {
      error = caught;
    }
    expect(error).toMatchObject({ code: 'storage.unavailable' });
    expect(String((error as Error).cause)).toContain('sluice secret seal');
    expect(String(error)).not.toContain(text.slice(7) || 'sealed');
  }
});

it('a secret is no ticket, and a ticket no secret', async () => {
  const { sealer, openSecret, sealSecret } = await openKeys(at(1));
  const ticket = Buffer.from(sealer.seal('ticket', Buffer.from('x'))).toString('base64url');
  expect(() => openSecret(`sealed:${ticket}`)).toThrow();
  expect(() => sealer.open('ticket', Buffer.from(sealSecret('x').slice(7), 'base64url'))).toThrow();
});

it('the key in the state directory is made once, for its owner only', async () => {
  const config = { clusterKey: null, stateDirectory: stateDirectory() };
  const first = await openKeys(config);
  expect((await openKeys(config)).token).toBe(first.token);
  expect((await openKeysIfThere(config)).openSecret(first.sealSecret('x'))).toBe('x');
  expect(statSync(join(config.stateDirectory, 'cluster.key')).mode & 0o777).toBe(0o600);
});

it('a command that serves nobody makes no key', async () => {
  const config = { clusterKey: null, stateDirectory: stateDirectory() };
  await openKeysIfThere(config);
  expect(() => statSync(join(config.stateDirectory, 'cluster.key'))).toThrow('ENOENT');
});
