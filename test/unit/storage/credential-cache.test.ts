import { describe, expect, it } from 'vitest';
import type { S3Credentials } from '#src/files.js';
import { createCredentialCache } from '#src/storage/credential-cache.js';

interface Source {
  /** Milliseconds that the next ones hold; null = without end. */
  lifeMs: number | null;
  failing: boolean;
  asked: number;
  nowMs: number;
  outcomes: string[];
}

function start(lifeMs: number | null): { source: Source; cache: ReturnType<typeof createCredentialCache> } {
  const source: Source = { lifeMs, failing: false, asked: 0, nowMs: 1_000_000, outcomes: [] };
  const cache = createCredentialCache({
    resolve: async (): Promise<S3Credentials> => {
      source.asked++;
      if (source.failing) throw new Error('out of reach');
      const expiresAtMs = source.lifeMs === null ? null : source.nowMs + source.lifeMs;
      return { accessKeyId: `key ${source.asked}`, secretAccessKey: 's', expiresAtMs, region: 'r' };
    },
    now: () => source.nowMs,
    random: () => 0.5,
    onOutcome: (outcome) => source.outcomes.push(outcome),
  });
  return { source, cache };
}

const keyOf = async (cache: ReturnType<typeof createCredentialCache>): Promise<string> => (await cache.get()).accessKeyId;
/** What was begun in passing has ended then. */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('credentials', () => {
  it('are asked for once by all who want them at the same time', async () => {
    const { source, cache } = start(3_600_000);
    expect(await Promise.all(Array.from({ length: 20 }, () => keyOf(cache)))).toEqual(Array.from({ length: 20 }, () => 'key 1'));
    source.nowMs += 60_000;
    expect(await keyOf(cache)).toBe('key 1');
    expect(source.asked).toBe(1);
  });

  it('are renewed before they end, without making anybody wait', async () => {
    const { source, cache } = start(3_600_000);
    await cache.get();
    source.nowMs += 3_400_000;
    expect(await keyOf(cache)).toBe('key 1');
    await settled();
    expect(await keyOf(cache)).toBe('key 2');
    expect(source.outcomes).toEqual(['renewed', 'renewed']);
  });

  it('short ones are renewed in time too', async () => {
    const { source, cache } = start(30_000);
    await cache.get();
    source.nowMs += 21_000;
    await cache.get();
    await settled();
    expect(await keyOf(cache)).toBe('key 2');
  });

  it('serve to their end while there are no new ones, and the source is not asked all the time', async () => {
    const { source, cache } = start(3_600_000);
    await cache.get();
    source.failing = true;
    source.nowMs += 3_400_000;
    for (let turn = 0; turn < 10; turn++) {
      expect(await keyOf(cache)).toBe('key 1');
      await settled();
    }
    expect(source.asked).toBe(2);
    source.nowMs += 3_600_000;
    await expect(cache.get()).rejects.toThrow('out of reach');
    const { asked } = source;
    await expect(cache.get()).rejects.toThrow('out of reach');
    expect(source.asked).toBe(asked);
    source.failing = false;
    source.nowMs += 10_000;
    expect(await keyOf(cache)).toBe(`key ${asked + 1}`);
  });

  it('without an end are read again from time to time', async () => {
    const { source, cache } = start(null);
    await cache.get();
    source.nowMs += 50_000;
    await cache.get();
    await settled();
    expect(source.asked).toBe(1);
    source.nowMs += 10_001;
    await cache.get();
    await settled();
    expect(await keyOf(cache)).toBe('key 2');
  });

  it('that a store refuses are doubted: asked for anew at once, but not again and again', async () => {
    const { source, cache } = start(null);
    await cache.get();
    source.nowMs += 5_000;
    cache.doubt();
    expect(await keyOf(cache)).toBe('key 2');
    cache.doubt();
    expect(await keyOf(cache)).toBe('key 2');
    source.nowMs += 5_000;
    expect(await keyOf(cache)).toBe('key 3');
    expect(await keyOf(cache)).toBe('key 3');
  });

  it('from a source that says nothing are out of reach, and asked for again later', async () => {
    let nowMs = 0;
    let silent = true;
    const found: S3Credentials = { accessKeyId: 'key', secretAccessKey: 's', expiresAtMs: null, region: 'r' };
    const cache = createCredentialCache({
      resolve: () => (silent ? new Promise(() => {}) : Promise.resolve(found)),
      now: () => nowMs,
      onOutcome: () => {},
      timeoutMs: 1,
    });
    await expect(cache.get()).rejects.toMatchObject({ name: 'TimeoutError' });
    silent = false;
    nowMs += 60_000;
    expect(await cache.get()).toBe(found);
  });

  it('that are doubted still serve when there are no others', async () => {
    const { source, cache } = start(null);
    await cache.get();
    source.nowMs += 5_000;
    source.failing = true;
    cache.doubt();
    expect(await keyOf(cache)).toBe('key 1');
  });
});
