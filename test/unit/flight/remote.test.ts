import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { credentials } from '@grpc/grpc-js';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { SluiceError } from '#src/errors.js';
import { channelCredentials } from '#src/flight/channels.js';
import { createRemote, type Remote } from '#src/flight/remote.js';
import type { BatchSource } from '#src/model.js';
import { connectFlight } from '../../support/flight-client.ts';
import { eventually, type Fake, startFake } from './fakes.ts';

const TICKET = Buffer.from('t0');
const NOBODY = 'grpc://127.0.0.1:1';
let worker: Fake;
let remote: Remote;
let bearer: string;
let location: string;

beforeAll(async () => {
  worker = await startFake();
  remote = createRemote(() => credentials.createInsecure());
  location = `grpc://127.0.0.1:${worker.port}`;
  await using client = await connectFlight({ port: worker.port, user: 'ada' });
  bearer = (client.authorization ?? '').replace('Bearer ', '');
});
beforeEach(() => {
  worker.source = { batches: 3 };
  worker.worker = {};
});
afterAll(async () => {
  await remote[Symbol.asyncDispose]();
  await worker[Symbol.asyncDispose]();
});

async function drain(source: BatchSource): Promise<number> {
  let batches = 0;
  while ((await source.next()) !== null) batches++;
  await source[Symbol.asyncDispose]();
  return batches;
}

const signal = (): AbortSignal => new AbortController().signal;

test("the worker's messages come through as they are", async () => {
  const source = await remote.read(TICKET, [location], bearer, signal());
  expect(source.schemaHeader.length).toBeGreaterThan(0);
  expect(await drain(source)).toBe(3);
});

test('a worker that can not be reached is passed over', async () => {
  expect(await drain(await remote.read(TICKET, [NOBODY, location], bearer, signal()))).toBe(3);
});

test.each(['ticket.invalid', 'auth.invalid'] as const)('so is one with another cluster key, which says %s', async (code) => {
  await using stranger = await startFake();
  stranger.worker = {
    redeem: async () => {
      throw new SluiceError(code, 'not made by this cluster');
    },
  };
  const elsewhere = `grpc://127.0.0.1:${stranger.port}`;
  expect(await drain(await remote.read(TICKET, [elsewhere, location], bearer, signal()))).toBe(3);
});

test('so is one that is full, and the last one tells what is wrong', async () => {
  worker.worker = {
    redeem: async () => {
      throw new SluiceError('limit.busy', 'too many');
    },
  };
  await expect(remote.read(TICKET, [location, NOBODY], bearer, signal())).rejects.toMatchObject({ code: 'server.unavailable' });
  await expect(remote.read(TICKET, [location], bearer, signal())).rejects.toMatchObject({ code: 'limit.busy', message: 'too many' });
  worker.worker = {};
  await expect(remote.read(Buffer.from('t9'), [NOBODY, location], bearer, signal())).rejects.toMatchObject({ code: 'ticket.invalid' });
  await expect(remote.read(TICKET, [location], 'nobody', signal())).rejects.toMatchObject({ code: 'auth.invalid' });
});

test('without a living worker the client may try again', async () => {
  await expect(remote.read(TICKET, [], bearer, signal())).rejects.toMatchObject({ code: 'server.unavailable' });
  await expect(remote.read(TICKET, [NOBODY], bearer, signal())).rejects.toMatchObject({ code: 'server.unavailable' });
});

test('a stream that breaks later breaks here too: rows must not come twice', async () => {
  worker.source = { batches: 3, failAt: 2 };
  const source = await remote.read(TICKET, [location, location], bearer, signal());
  await expect(drain(source)).rejects.toBeInstanceOf(SluiceError);
  await source[Symbol.asyncDispose]();
});

test('a cancel reaches the worker', async () => {
  worker.source = { batches: 3, hangAt: 1 };
  const lifetime = new AbortController();
  const source = await remote.read(TICKET, [location], bearer, lifetime.signal);
  await source.next();
  const before = worker.held.aborted;
  const waiting = source.next();
  lifetime.abort(new SluiceError('request.cancelled', 'the client cancelled the request'));
  await expect(waiting).rejects.toMatchObject({ code: 'request.cancelled' });
  await eventually(() => worker.held.aborted > before);
  await source[Symbol.asyncDispose]();
});

test('so is one whose release is older than the ticket', async () => {
  worker.worker = {
    redeem: async () => {
      throw new SluiceError('ticket.version', 'newer');
    },
  };
  await expect(remote.read(TICKET, [location, NOBODY], bearer, signal())).rejects.toMatchObject({ code: 'server.unavailable' });
  await expect(remote.read(TICKET, [location], bearer, signal())).rejects.toMatchObject({ code: 'ticket.version' });
});

describe('cancel', () => {
  test('asks a server for its caller, and tells what it says', async () => {
    const cancelled: string[] = [];
    const answers = [true, false];
    worker.worker = {
      cancel: async (sealed, { subject }) => {
        cancelled.push(`${subject} ${Buffer.from(sealed)}`);
        return answers.shift() ?? false;
      },
    };
    expect(await remote.cancel([TICKET], location, bearer)).toBe('cancelled');
    expect(await remote.cancel([TICKET, Buffer.from('t1')], location, bearer)).toBe('notCancellable');
    expect(cancelled).toEqual(['ada t0', 'ada t0', 'ada t1']);
  });

  test('says nothing of one that refuses, is not there or does not speak', async () => {
    await using strict = createRemote(channelCredentials({ authority: null, identity: null, plaintext: false }));
    const deaf = createServer().listen(0, '127.0.0.1');
    await once(deaf, 'listening');
    const { port } = deaf.address() as AddressInfo;
    const answers = await Promise.all([
      remote.cancel([TICKET], location, 'nobody'),
      remote.cancel([TICKET], NOBODY, bearer),
      remote.cancel([TICKET], `grpc://127.0.0.1:${port}`, bearer),
      strict.cancel([TICKET], location, bearer),
    ]);
    deaf.close();
    expect(answers).toEqual([null, null, null, null]);
  });
});
