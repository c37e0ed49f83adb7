import { setTimeout } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import type { Engine } from '#src/engine/index.js';
import { SluiceError } from '#src/errors.js';
import { checkInForce, inlineFingerprint, openTicket } from '#src/wire/index.js';
import { startQuery } from '#src/worker/redeem.js';
import { ADA, asEngine, EVE, fakeSource, policyInForce, QUERY, rowCounts, SCAN, SEALER, schemaHeader, sealed, TICKET } from './fixture.ts';

const never = new AbortController().signal;
const ports = { connections: [], scans: { verify: async () => {} } };
const open =
  (bytes: Uint8Array, principal = ADA) =>
  () =>
    openTicket(SEALER, bytes, { cluster: 'local', subject: principal.subject, nowMs: 999 });

test.each([
  ['of another cluster', sealed({ cluster: 'other' }), ADA, 'ticket.invalid'],
  ['of another principal', sealed(), EVE, 'ticket.principal'],
  ['that has expired', sealed({ expiresAtMs: 999 }), ADA, 'ticket.expired'],
])('a ticket %s is refused', (_, bytes, principal, code) => {
  expect(open(bytes, principal)).toThrow(expect.objectContaining({ code }));
});

test('the policy is asked about what the task reads, whatever datasets the ticket names', () => {
  const command = { kind: 'command', command: { kind: 'insert', table: { schema: 's', name: 't' }, columns: [] }, query: QUERY } as const;
  for (const task of [QUERY, command]) {
    expect(() => checkInForce({ ...TICKET, datasets: [], task }, policyInForce())).not.toThrow();
    expect(() => checkInForce({ ...TICKET, fingerprint: 'f1', datasets: [], task }, policyInForce())).toThrow('policy changed');
  }
});

test('a finished answer holds for one state of the whole policy', () => {
  const ticket = { ...TICKET, fingerprint: inlineFingerprint('f1 d1', 'c1'), task: { kind: 'inline', ipc: new Uint8Array() } } as const;
  expect(() => checkInForce(ticket, policyInForce())).not.toThrow();
  expect(() => checkInForce(ticket, policyInForce('f1', 'c2'))).toThrow('policy changed');
});

test('a result with other columns than promised gives everything back', async () => {
  const held = { leases: 0, sources: 0 };
  const engine = asEngine({
    run: async () => {
      held.sources++;
      return fakeSource([1], schemaHeader(['other']), () => held.sources--);
    },
  });
  const lease = async () => {
    held.leases++;
    return { engine, release: () => void held.leases-- };
  };
  await expect(startQuery({ ...QUERY, schema: schemaHeader(['a']) }, { ...ports, lease }, never)).rejects.toMatchObject({
    code: 'policy.changed',
  });
  expect(held).toEqual({ leases: 0, sources: 0 });
  const source = await startQuery({ ...QUERY, statements: ['a', 'b'], schema: schemaHeader(['other']) }, { ...ports, lease }, never);
  expect(await rowCounts(source)).toEqual([1, 1]);
  await source[Symbol.asyncDispose]();
  expect(held).toEqual({ leases: 0, sources: 0 });
});

test('the wire form of the task is what the engine is asked for', async () => {
  const asked: unknown[] = [];
  const engine = asEngine({
    run: async (_catalog, _sql, _signal, form) => {
      asked.push(form);
      return fakeSource([1], schemaHeader(['a']));
    },
  });
  const form = { strings: 'view', enums: 'dictionary', compression: 'lz4' } as const;
  const source = await startQuery({ ...QUERY, form }, { ...ports, lease: async () => ({ engine, release: () => {} }) }, never);
  await source[Symbol.asyncDispose]();
  expect(asked).toEqual([form]);
});

describe('files that are checked while the engine opens them', () => {
  const changed = new SluiceError('storage.unavailable', 'changed');
  const SCANNING = { ...QUERY, catalog: { ...QUERY.catalog, scans: [SCAN] } };
  const engineThat = (run: Engine['run']) => ({ engine: asEngine({ run }), release: () => {} });
  const start = (run: Engine['run'], verify: () => Promise<void>) =>
    startQuery(SCANNING, { connections: [], scans: { verify }, lease: async () => engineThat(run) }, never);

  test('no row leaves before it is known that they are the same', async () => {
    let answer: () => void = () => {};
    const asked = new Promise<void>((resolve) => {
      answer = resolve;
    });
    const source = start(
      async () => fakeSource([1], schemaHeader(['a'])),
      () => asked,
    );
    expect(await Promise.race([source, setTimeout(50, 'waits')])).toBe('waits');
    answer();
    expect(await rowCounts(await source)).toEqual([1]);
  });

  test('when they have changed, an open result is closed', async () => {
    let open = 0;
    const run: Engine['run'] = async () => {
      open++;
      return fakeSource([1], schemaHeader(['a']), () => open--);
    };
    await expect(start(run, () => Promise.reject(changed))).rejects.toBe(changed);
    expect(open).toBe(0);
  });

  test('when they have changed, what the engine still does is stopped, and what it says does not count', async () => {
    const run: Engine['run'] = (_catalog, _sql, signal) =>
      new Promise((_, reject) => {
        signal.addEventListener('abort', () => reject(new SluiceError('sql.runtime', 'no number')));
      });
    await expect(start(run, () => Promise.reject(changed))).rejects.toBe(changed);
  });
});
