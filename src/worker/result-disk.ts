/**
 * Results in files of one process: encrypted under a key that only this process has, so that what a crash leaves behind tells
 * nothing, and authenticated, so that a damaged file is a miss and never a wrong answer.
 */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { type FileHandle, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { openTemporary } from '../engine/index.ts';
import type { KeptBatch, KeptResult } from './result-store.ts';

/** What is needed to read a file again; the key is not in it. */
export interface StoredResult {
  readonly path: string;
  readonly nonce: Uint8Array;
  readonly tag: Uint8Array;
  readonly schemaHeader: Uint8Array;
  readonly batches: readonly { readonly header: Uint8Array; readonly length: number; readonly rows: number }[];
}

export interface ResultDisk extends AsyncDisposable {
  readonly directory: string;
  /** Rejects when the disk does not take it; nothing is left then. */
  write(key: string, result: KeptResult): Promise<StoredResult>;
  /** Rejects when the file is gone or was changed. */
  read(key: string, stored: StoredResult): Promise<KeptResult>;
  remove(stored: StoredResult): void;
}

const CIPHER = 'aes-256-gcm';
const NONCE_BYTES = 12;

/** In a directory of its own below `parent`; what dead processes left there is removed. */
export async function openResultDisk(parent: string): Promise<ResultDisk> {
  const { directory, [Symbol.asyncDispose]: close } = await openTemporary(parent, 'results');
  const secret = randomBytes(32);
  let files = 0;
  return {
    directory,
    write: async (key, { schemaHeader, batches }) => {
      const path = join(directory, String(files++));
      const nonce = randomBytes(NONCE_BYTES);
      const cipher = createCipheriv(CIPHER, secret, nonce).setAAD(Buffer.from(key));
      const file = await open(path, 'wx', 0o600);
      try {
        for (const { body } of batches) await writeAll(file, cipher.update(body));
        cipher.final();
      } catch (error) {
        await rm(path, { force: true });
        throw error;
      } finally {
        await file.close();
      }
      const parts = batches.map(({ header, body, rows }) => ({ header, length: body.length, rows }));
      return { path, nonce, tag: cipher.getAuthTag(), schemaHeader, batches: parts };
    },
    read: async (key, { path, nonce, tag, schemaHeader, batches }) => {
      const decipher = createDecipheriv(CIPHER, secret, nonce).setAAD(Buffer.from(key)).setAuthTag(tag);
      const file = await open(path, 'r');
      try {
        const read: KeptBatch[] = [];
        for (const { header, length, rows } of batches) read.push({ header, body: decipher.update(await readAll(file, length)), rows });
        // Throws when a single bit differs.
        decipher.final();
        return { schemaHeader, batches: read };
      } finally {
        await file.close();
      }
    },
    remove: ({ path }) => void rm(path, { force: true }).catch(() => {}),
    [Symbol.asyncDispose]: () => close(),
  };
}

async function writeAll(file: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let from = 0; from < bytes.length; ) from += (await file.write(bytes, from, bytes.length - from, null)).bytesWritten;
}

async function readAll(file: FileHandle, length: number): Promise<Uint8Array> {
  const bytes = Buffer.allocUnsafeSlow(length);
  for (let from = 0; from < length; ) {
    const { bytesRead } = await file.read(bytes, from, length - from, null);
    if (bytesRead === 0) throw new Error('the file is shorter than it was');
    from += bytesRead;
  }
  return bytes;
}
