import { tableFromArrays, tableToIPC } from 'apache-arrow';
import { afterEach, expect, test } from 'vitest';
import { createIpcConverter, type IpcConverter } from '#src/worker/ipc-parquet.js';

const never = new AbortController().signal;
const good = tableToIPC(tableFromArrays({ a: [1, 2, 3], b: ['x', 'y', 'z'] }), 'stream');
let converter: IpcConverter;

afterEach(async () => {
  await converter[Symbol.asyncDispose]();
});

test('one stream after the other becomes a Parquet file', async () => {
  converter = createIpcConverter(60_000);
  for (let i = 0; i < 2; i++) {
    const { bytes, rows, columns } = await converter.convert(good, never);
    expect(Buffer.from(bytes.subarray(0, 4)).toString()).toBe('PAR1');
    expect(rows).toBe(3);
    expect(columns).toEqual([
      { name: 'a', reading: 'same' },
      { name: 'b', reading: 'same' },
    ]);
  }
});

test('garbage ends the thread, not the process, and the text for the client is ours', async () => {
  converter = createIpcConverter(60_000);
  const failure = await converter.convert(Buffer.from('garbage garbage'), never).catch((error: unknown) => error);
  expect(failure).toMatchObject({ code: 'request.malformed', message: expect.stringContaining('valid, uncompressed') });
  await expect(converter.convert(good, never)).rejects.toMatchObject({ code: 'request.malformed' });
});

test('a thread that does not answer in time is ended', async () => {
  converter = createIpcConverter(0);
  await expect(converter.convert(good, never)).rejects.toMatchObject({ code: 'request.malformed' });
});

test('a signal ends the wait', async () => {
  converter = createIpcConverter(60_000);
  const abort = new AbortController();
  const waiting = converter.convert(good, abort.signal);
  abort.abort(new Error('cancelled'));
  await expect(waiting).rejects.toThrow('cancelled');
  await expect(converter.convert(good, abort.signal)).rejects.toThrow('cancelled');
});
