import { tableFromArrays, tableToIPC } from 'apache-arrow';
import { expect, test } from 'vitest';
import { chainSources, inlineSource, onDispose, promisedSource } from '#src/worker/sources.js';
import { fakeSource, rowCounts, schemaHeader } from './fixture.ts';

const header = schemaHeader(['a']);
const never = new AbortController().signal;

test('a finished result gives its batches and ends', async () => {
  const source = inlineSource(tableToIPC(tableFromArrays({ x: [1, 2] }), 'stream'), never);
  expect(await rowCounts(source)).toEqual([2]);
});

test('a finished result of a cancelled query gives nothing', async () => {
  const source = inlineSource(tableToIPC(tableFromArrays({ x: [1] }), 'stream'), AbortSignal.abort(new Error('cancelled')));
  await expect(source.next()).rejects.toThrow('cancelled');
});

test('statements follow each other, each opened and closed in its turn', async () => {
  const log: string[] = [];
  const open = (name: string, rows: number[]) => async () => {
    log.push(`open ${name}`);
    return fakeSource(rows, header, () => log.push(`close ${name}`));
  };
  const source = await chainSources([open('a', [1, 2]), open('b', []), open('c', [3])]);
  expect(log).toEqual(['open a']);
  expect(await rowCounts(source)).toEqual([1, 2, 3]);
  await source[Symbol.asyncDispose]();
  expect(log).toEqual(['open a', 'close a', 'open b', 'close b', 'open c', 'close c']);
});

test('a later statement with other columns is refused', async () => {
  const source = await chainSources([async () => fakeSource([1], header), async () => fakeSource([1], schemaHeader(['b']))]);
  await source.next();
  await expect(source.next()).rejects.toMatchObject({ code: 'policy.changed' });
});

test('no statement at all is refused', async () => {
  await expect(chainSources([])).rejects.toMatchObject({ code: 'ticket.invalid' });
});

test('the promised schema is what is sent, when names, types and nullability agree', () => {
  const promised = schemaHeader(['a'], new Map([['ARROW:FLIGHT:SQL:TABLE_NAME', 't']]));
  expect(promisedSource(fakeSource([], header), promised).schemaHeader).toBe(promised);
  expect(promisedSource(fakeSource([], header), new Uint8Array()).schemaHeader).toBe(header);
});

test.each([
  ['another name', schemaHeader(['b'])],
  ['another case', schemaHeader(['A'])],
  ['a column more', schemaHeader(['a', 'b'])],
  ['no column', schemaHeader([])],
])('%s than promised is refused', (_, found) => {
  expect(() => promisedSource(fakeSource([], found), header)).toThrow('columns of this result changed');
});

test('what follows a source runs once, also when closing fails', async () => {
  let after = 0;
  const source = onDispose(
    fakeSource([], header, () => {
      throw new Error('closing failed');
    }),
    () => after++,
  );
  await expect(source[Symbol.asyncDispose]()).rejects.toThrow('closing failed');
  await source[Symbol.asyncDispose]();
  expect(after).toBe(1);
});
