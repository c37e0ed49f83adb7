import { expect, test } from 'vitest';
import { SnapshotFeed } from '#src/catalog/snapshot-feed.js';
import type { Snapshot } from '#src/model.js';

const snapshot = { epoch: 1 } as Snapshot;

test('before the first snapshot there is nothing in force', () => {
  const feed = new SnapshotFeed(() => {});
  expect(() => feed.current()).toThrow(expect.objectContaining({ code: 'policy.invalid' }));
  expect(feed.last).toBeNull();
});

test('a listener that throws is reported and keeps nobody from hearing', () => {
  const problems: string[] = [];
  const feed = new SnapshotFeed((found) => problems.push(...found));
  const heard: number[] = [];
  feed.watch(() => {
    throw new Error('mine');
  });
  const stop = feed.watch(({ epoch }) => heard.push(epoch));
  feed.publish(snapshot);
  stop();
  feed.publish(snapshot);
  expect(heard).toEqual([1]);
  expect(problems).toEqual(Array(2).fill('a listener failed: mine'));
  expect(feed.current()).toBe(snapshot);
});
