import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { failureOf } from '../../support/flight-client.ts';
import { PATIENCE } from '../../support/patience.ts';
import { ServiceClient } from '../../support/service-client.ts';
import { type Fake, startFake } from './fakes.ts';

const FLIGHT = 'arrow.flight.protocol.FlightService';

let fake: Fake;
let client: ServiceClient;
beforeAll(async () => {
  fake = await startFake();
  client = new ServiceClient(fake.port);
});
afterAll(async () => {
  client[Symbol.dispose]();
  await fake[Symbol.asyncDispose]();
});

describe('Check', () => {
  test('needs no credentials, for the server and for Flight', async () => {
    expect(await client.check()).toBe('SERVING');
    expect(await client.check(FLIGHT)).toBe('SERVING');
  });

  test('does not know other services', async () => {
    for (const service of ['flight', 'grpc.health.v1.Health', '__proto__', 'x'.repeat(10_000)])
      expect(await failureOf(client.check(service))).toMatchObject({ status: 'NOT_FOUND' });
  });

  test('garbage is malformed', async () => {
    for (const bytes of [Buffer.of(0xff), Buffer.of(0x0a, 0x7f), Buffer.of(0x0a, 1, 0xff)])
      expect((await failureOf(client.raw('/grpc.health.v1.Health/Check', bytes))).status).toMatch(/^(INVALID_ARGUMENT|NOT_FOUND)$/);
    expect(await client.check()).toBe('SERVING');
  });

  test('leaves no audit record and no token', async () => {
    fake.audits.length = 0;
    await client.check();
    expect(fake.audits).toEqual([]);
    const watch = client.watch();
    watch.on('error', () => {});
    const [headers] = await once(watch, 'metadata');
    expect(headers.get('authorization')).toEqual([]);
    watch.cancel();
  });
});

describe('Watch', () => {
  test('tells the state at once, an unknown service too, and nothing more without a change', async () => {
    const seen: string[] = [];
    const [known, unknown] = [client.watch(FLIGHT), client.watch('other')];
    for (const watch of [known, unknown]) {
      watch.on('error', () => {});
      watch.on('data', (status: string) => seen.push(status));
    }
    await vi.waitFor(() => expect(seen.sort()).toEqual(['SERVICE_UNKNOWN', 'SERVING']), PATIENCE);
    for (const watch of [known, unknown]) watch.cancel();
  });

  test('learns of each change, and the server goes on serving', async () => {
    const other = await startFake();
    using watcher = new ServiceClient(other.port);
    const seen: string[] = [];
    const watch = watcher.watch();
    watch.on('error', () => {});
    watch.on('data', (status: string) => seen.push(status));
    await vi.waitFor(() => expect(seen).toEqual(['SERVING']), PATIENCE);
    other.server.setServing(false);
    await vi.waitFor(() => expect(seen).toEqual(['SERVING', 'NOT_SERVING']), PATIENCE);
    expect(await watcher.check()).toBe('NOT_SERVING');
    other.server.setServing(false);
    other.server.setServing(true);
    await vi.waitFor(() => expect(seen).toEqual(['SERVING', 'NOT_SERVING', 'SERVING']), PATIENCE);
    expect(await watcher.check()).toBe('SERVING');
    watch.cancel();
    await other[Symbol.asyncDispose]();
  });

  test('learns of the shutdown before its connection ends', async () => {
    const other = await startFake();
    using watcher = new ServiceClient(other.port);
    const seen: string[] = [];
    const watch = watcher.watch();
    watch.on('data', (status: string) => seen.push(status));
    const failed = once(watch, 'error');
    failed.catch(() => {});
    await vi.waitFor(() => expect(seen).toEqual(['SERVING']), PATIENCE);
    const drained = other.server.drain(60_000);
    const [error] = await failed;
    expect(seen).toEqual(['SERVING', 'NOT_SERVING']);
    expect(error).toMatchObject({ details: expect.stringMatching(/shutting down/) });
    expect(await watcher.check()).toBe('NOT_SERVING');
    await drained;
    await other[Symbol.asyncDispose]();
  });

  test('has room for so many watchers', async () => {
    const watches = Array.from({ length: 990 }, () => client.watch());
    const errors: { readonly details: string }[] = [];
    using second = new ServiceClient(fake.port);
    watches.push(...Array.from({ length: 20 }, () => second.watch()));
    for (const watch of watches) watch.on('data', () => {}).on('error', (error) => errors.push(error as unknown as { details: string }));
    await vi.waitFor(() => expect(errors.filter(({ details }) => /the most there may be/.test(details))).toHaveLength(10), PATIENCE);
    expect(await client.check()).toBe('SERVING');
    for (const watch of watches) watch.cancel();
    await vi.waitFor(async () => {
      const again = second.watch();
      again.on('error', () => {});
      expect(await Promise.race([once(again, 'data'), once(again, 'error')])).toEqual(['SERVING']);
      again.cancel();
    }, PATIENCE);
  });
});
