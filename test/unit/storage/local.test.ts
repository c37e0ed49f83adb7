import { expect, it } from 'vitest';
import { statFiles } from '#src/storage/local.js';

it('a missing file names no path to the client', async () => {
  const error = await statFiles([import.meta.filename, '/nowhere/secret.parquet']).catch((caught: unknown) => caught);
  expect(error).toMatchObject({ code: 'storage.unavailable' });
  expect(String(error)).not.toContain('secret');
});

it('has nothing to say about nothing', async () => {
  expect(await statFiles([])).toEqual([]);
});
