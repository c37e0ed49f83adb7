import { type Metadata, Metadata as MetadataClass, status } from '@grpc/grpc-js';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { connectFlight, failureOf, RawClient } from '../../support/flight-client.ts';
import { decode, encode } from '../../support/flight-messages.ts';
import { type Fake, startFake } from './fakes.ts';

const SERVICE = '/arrow.flight.protocol.FlightService';

let fake: Fake;
let client: RawClient;

beforeAll(async () => {
  fake = await startFake();
  client = await connectFlight({ port: fake.port, user: 'ada' });
});
beforeEach(() => {
  fake.audits.length = 0;
});
afterAll(async () => {
  client.close();
  await fake[Symbol.asyncDispose]();
});

/** BasicAuth: username = 2, password = 3. */
const basicAuth = (user: string, password: string): Buffer =>
  Buffer.concat([Buffer.of(0x12, user.length), Buffer.from(user), Buffer.of(0x1a, password.length), Buffer.from(password)]);

describe('credentials in the payload', () => {
  test('give a token that the next calls send as auth-token-bin', async () => {
    const { code, messages } = await handshake([encode('HandshakeRequest', { payload: basicAuth('ada', 'ada-demo') })]);
    expect(code).toBe(status.OK);
    expect(messages).toHaveLength(1);
    // HandshakeResponse has the fields of the request.
    const { payload } = decode<{ payload: Uint8Array }>('HandshakeRequest', messages[0] ?? Buffer.alloc(0));
    const metadata = new MetadataClass();
    metadata.set('auth-token-bin', Buffer.from(payload));
    expect(await answerOf('ListActions', metadata)).toBe(status.OK);
    expect(fake.audits).toMatchObject([
      { method: 'Handshake', principal: 'ada', outcome: 'ok' },
      { method: 'ListActions', principal: 'ada', outcome: 'ok' },
    ]);
  });

  test.each([
    ['a wrong password', [encode('HandshakeRequest', { payload: basicAuth('ada', 'nope') })]],
    ['an unknown user', [encode('HandshakeRequest', { payload: basicAuth('eve', 'ada-demo') })]],
    ['a name with a colon', [encode('HandshakeRequest', { payload: basicAuth('ada:ada-demo', 'x') })]],
    ['no name', [encode('HandshakeRequest', { payload: basicAuth('', 'x') })]],
    ['no BasicAuth', [encode('HandshakeRequest', { payload: Buffer.of(0xff, 0xff) })]],
    ['an empty payload', [encode('HandshakeRequest', { protocol_version: 1 })]],
    ['no message', []],
  ])('%s is refused', async (_, messages) => {
    expect((await handshake(messages)).code).toBe(status.UNAUTHENTICATED);
    expect(fake.audits).toMatchObject([{ method: 'Handshake', outcome: 'refused' }]);
  });

  test('garbage instead of a message is refused', async () => {
    expect((await handshake([Buffer.of(0xff)])).code).toBe(status.INVALID_ARGUMENT);
  });

  test('count for a Handshake only', async () => {
    const stranger = new RawClient({ port: fake.port });
    const payload = encode('HandshakeRequest', { payload: basicAuth('ada', 'ada-demo') });
    expect(await failureOf(stranger.collect('DoGet', payload))).toMatchObject({ status: 'UNAUTHENTICATED' });
    stranger.close();
  });
});

test.each([
  ['garbage', 'AAAA'],
  ['nothing', ''],
  ['no token', '%%%%'],
])('%s as auth-token-bin is refused', async (_, token) => {
  const metadata = new MetadataClass();
  metadata.set('auth-token-bin', Buffer.from(token));
  expect(await answerOf('ListActions', metadata)).toBe(status.UNAUTHENTICATED);
});

function handshake(sent: readonly Uint8Array[]): Promise<{ readonly code: number; readonly messages: readonly Buffer[] }> {
  const identity = (bytes: Buffer): Buffer => bytes;
  const call = client.grpc.makeBidiStreamRequest(`${SERVICE}/Handshake`, identity, identity, new MetadataClass());
  for (const message of sent) call.write(Buffer.from(message));
  call.end();
  const messages: Buffer[] = [];
  return new Promise((resolve) => {
    call.on('data', (message: Buffer) => messages.push(message));
    call.on('error', () => {});
    call.on('status', ({ code }: { code: number }) => resolve({ code, messages }));
  });
}

function answerOf(method: string, metadata: Metadata): Promise<number> {
  const identity = (bytes: Buffer): Buffer => bytes;
  const call = client.grpc.makeServerStreamRequest(`${SERVICE}/${method}`, identity, identity, Buffer.alloc(0), metadata);
  return new Promise((resolve) => {
    call.on('data', () => {});
    call.on('error', () => {});
    call.on('status', ({ code }: { code: number }) => resolve(code));
  });
}
