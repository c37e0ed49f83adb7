import { status } from '@grpc/grpc-js';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { decodeFlightData, encodeFlightData } from '#src/wire/index.js';
import { connectFlight, RawClient } from '../../support/flight-client.ts';
import { encode } from '../../support/flight-messages.ts';
import { call, type Fake, startFake } from './fakes.ts';

let fake: Fake;
let client: RawClient;

beforeAll(async () => {
  fake = await startFake();
  client = await connectFlight({ port: fake.port, user: 'ada' });
});
afterAll(async () => {
  client.close();
  await fake[Symbol.asyncDispose]();
});

const first = (cmd: string, fields = {}) => encode('FlightData', { flight_descriptor: { type: 2, cmd: Buffer.from(cmd) }, ...fields });

test('echo sends back schema, batches and metadata, without the descriptor', async () => {
  const sent = [
    first('echo', { data_header: Buffer.from('schema') }),
    encodeFlightData(Buffer.from('batch'), Buffer.alloc(1000, 1), Buffer.from('metadata')),
    encodeFlightData(Buffer.alloc(0), Buffer.alloc(0), Buffer.from('metadata only')),
  ];
  const { code, messages } = await call(client, 'DoExchange', sent);
  expect(code).toBe(status.OK);
  expect(messages.map(decodeFlightData)).toEqual(sent.map((message) => ({ ...decodeFlightData(message), descriptor: null })));
});

test('a command alone gives nothing back', async () => {
  expect(await call(client, 'DoExchange', [first('echo')])).toMatchObject({ code: status.OK, messages: [] });
});

test.each([
  ['another command', first('other')],
  ['a path', encode('FlightData', { flight_descriptor: { type: 1, path: ['echo'] } })],
  ['no descriptor', encode('FlightData', {})],
])('%s is refused', async (_, message) => {
  expect(await call(client, 'DoExchange', [message])).toMatchObject({
    code: status.UNIMPLEMENTED,
    details: 'DoExchange is not supported: except for the command "echo"',
  });
});

test('nobody echoes without credentials', async () => {
  const stranger = new RawClient({ port: fake.port });
  expect((await call(stranger, 'DoExchange', [first('echo')])).code).toBe(status.UNAUTHENTICATED);
  stranger.close();
});
