/**
 * The product as a process under attack: what it audits, what it logs as its own fault, what it holds.
 * Nothing here depends on the speed of the machine. Linux.
 */
import { createReadStream, readdirSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { expect, vi } from 'vitest';
import { connectFlight, type RawClient } from '../flight-client.ts';
import { PATIENCE } from '../patience.ts';
import { type AuditRecord, recordsIn, STATE_DIRECTORY } from '../server.ts';
import { type ServerProcess, startServerProcess } from '../server-process.ts';
import { TESTBED } from '../testbed.mjs';

export interface WatchedServer extends ServerProcess {
  /** Records since the start of this server. */
  audit(): Promise<readonly AuditRecord[]>;
  /** Log lines that tell of a fault of the server itself. */
  faults(): readonly string[];
  /** Threads, and open files with sockets. */
  holds(): { readonly threads: number; readonly files: number };
  /** Fails unless the process lives, answers a query, has logged no fault, and every request id in `ids` has exactly one record. */
  expectWell(ids?: readonly string[]): Promise<void>;
}

export async function startWatchedServer(settings: Readonly<Record<string, string>>): Promise<WatchedServer> {
  const state = await freshState();
  const auditFile = join(state, 'audit.jsonl');
  const process = await startServerProcess({ SLUICE_STATE_DIR: state, ...settings });
  const faults = watchLog(process);
  const audit = async (): Promise<readonly AuditRecord[]> => {
    const lines = await text(createReadStream(auditFile));
    return recordsIn(lines);
  };
  return {
    ...process,
    [Symbol.asyncDispose]: async () => {
      await process[Symbol.asyncDispose]();
      await rm(state, { recursive: true, force: true });
    },
    audit,
    faults: () => faults,
    holds: () => held(process.child.pid),
    expectWell: async (ids = []) => {
      expect(process.child.exitCode, 'the process has ended').toBeNull();
      await using client = await connectFlight({ port: process.port, user: 'steward' });
      expect(await client.rows('SELECT count(*) AS n FROM demo.orders')).toEqual([{ n: 1_000_000 }]);
      expect(faults).toEqual([]);
      if (ids.length > 0) await expectAudited(audit, ids);
    },
  };
}

/** A state directory of its own, for what clients store, with the demo data that all tests share. */
async function freshState(): Promise<string> {
  const demo = join(STATE_DIRECTORY, 'demo');
  await mkdir(demo, { recursive: true });
  const state = await mkdtemp(join(TESTBED, 'hostile-'));
  await symlink(demo, join(state, 'demo'));
  return state;
}

function watchLog({ child }: ServerProcess): readonly string[] {
  const faults: string[] = [];
  for (const stream of [child.stdout, child.stderr])
    if (stream !== null)
      createInterface({ input: stream }).on('line', (line) => {
        if (/server\.internal|ended abnormally|uncaught|unhandled|\n?\s+at .*\.js:\d+|Warning:/i.test(line))
          faults.push(line.slice(0, 2000));
      });
  return faults;
}

function held(pid: number | undefined): { threads: number; files: number } {
  const threads = /Threads:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return { threads: Number(threads), files: readdirSync(`/proc/${pid}/fd`).length };
}

async function expectAudited(audit: WatchedServer['audit'], ids: readonly string[]): Promise<void> {
  const wanted = new Set(ids);
  expect(wanted.size, 'request ids are unique').toBe(ids.length);
  await vi.waitFor(async () => {
    const found = (await audit()).map(({ requestId }) => requestId).filter((id) => wanted.has(id));
    expect(found.length, 'audit records of these requests').toBe(ids.length);
    expect(new Set(found).size, 'requests with a record').toBe(ids.length);
  }, PATIENCE);
}

/** Waits until the server holds no more than before the attack: closing takes a moment. */
export async function expectNothingLeft(
  server: WatchedServer,
  before: ReturnType<WatchedServer['holds']>,
  slack: number,
  patienceMs: number = PATIENCE.timeout,
): Promise<void> {
  await vi.waitFor(
    () => {
      const { threads, files } = server.holds();
      expect(threads, 'threads').toBeLessThanOrEqual(before.threads + slack);
      expect(files, 'open files and sockets').toBeLessThanOrEqual(before.files + slack);
    },
    { timeout: patienceMs, interval: 250 },
  );
}

/** Each of these tickets, of queries of their own, streams at the same time as the others: no place is lost. */
export async function expectAllPlacesFree(client: RawClient, tickets: readonly Uint8Array[]): Promise<void> {
  const open = tickets.map((ticket) => client.openStream(ticket));
  const ends = open.map(
    (stream) =>
      new Promise<string>((resolve) => {
        stream.once('data', () => {
          stream.pause();
          resolve('rows');
        });
        stream.on('error', (error) => resolve(error.message));
      }),
  );
  try {
    expect(await Promise.all(ends)).toEqual(open.map(() => 'rows'));
  } finally {
    for (const stream of open) stream.cancel();
  }
}
