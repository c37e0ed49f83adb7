import protobuf from 'protobufjs';
import descriptor from 'protobufjs/ext/descriptor.js';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { failureOf } from '../../support/flight-client.ts';
import { PATIENCE } from '../../support/patience.ts';
import { type Plain, ServiceClient } from '../../support/service-client.ts';
import { type Fake, startFake } from './fakes.ts';

let fake: Fake;
let client: ServiceClient;
beforeAll(async () => {
  fake = await startFake();
  client = new ServiceClient(fake.port);
});
afterAll(async () => {
  client[Symbol.dispose]();
  await fake[Symbol.asyncDispose]();
});

function filesOf(answer: Plain | undefined): protobuf.Root {
  const { fileDescriptorProto } = (answer?.['fileDescriptorResponse'] ?? { fileDescriptorProto: [] }) as {
    readonly fileDescriptorProto: readonly Uint8Array[];
  };
  const { FileDescriptorProto } = descriptor;
  return protobuf.Root.fromDescriptor({
    file: fileDescriptorProto.map((bytes) => FileDescriptorProto.toObject(FileDescriptorProto.decode(bytes))),
  });
}

test.each(['v1', 'v1alpha'] as const)('%s lists the services and describes each', async (version) => {
  const [list] = await client.reflect(version, [{ listServices: '' }]);
  const { service } = (list?.['listServicesResponse'] ?? { service: [] }) as { readonly service: readonly { readonly name: string }[] };
  expect(service.map(({ name }) => name)).toEqual([
    'arrow.flight.protocol.FlightService',
    'grpc.health.v1.Health',
    'grpc.reflection.v1.ServerReflection',
    'grpc.reflection.v1alpha.ServerReflection',
  ]);
  const answers = await client.reflect(
    version,
    service.map(({ name }) => ({ fileContainingSymbol: name })),
  );
  for (const [i, { name }] of service.entries()) expect(filesOf(answers[i]).lookupService(name).methodsArray.length).toBeGreaterThan(0);
});

test('a file comes with what it imports, and by its name too', async () => {
  const [bySymbol, byName] = await client.reflect('v1', [
    { fileContainingSymbol: 'arrow.flight.protocol.FlightEndpoint' },
    { fileByFilename: 'Flight.proto' },
  ]);
  expect(filesOf(bySymbol).lookupType('google.protobuf.Timestamp').fields).toHaveProperty('seconds');
  expect(bySymbol?.['fileDescriptorResponse']).toEqual(byName?.['fileDescriptorResponse']);
  expect(bySymbol?.['originalRequest']).toEqual({ fileContainingSymbol: 'arrow.flight.protocol.FlightEndpoint' });
});

test('what is not there, and what is not asked', async () => {
  const answers = await client.reflect('v1', [
    { fileContainingSymbol: 'sluice.Ticket' },
    { fileByFilename: '../ticket.proto' },
    { fileByFilename: '__proto__' },
    { allExtensionNumbersOfType: 'arrow.flight.protocol.Ticket' },
    {},
  ]);
  expect(answers.map(({ errorResponse }) => (errorResponse as { errorCode: number } | undefined)?.errorCode)).toEqual([5, 5, 5, 5, 3]);
});

test('a stream has an end of questions, and leaves no audit record', async () => {
  fake.audits.length = 0;
  const many = Array.from({ length: 101 }, () => ({ listServices: '' }));
  expect(await failureOf(client.reflect('v1', many))).toMatchObject({
    status: 'RESOURCE_EXHAUSTED',
    message: expect.stringMatching(/100 questions/),
  });
  expect(await client.reflect('v1', many.slice(1))).toHaveLength(100);
  expect(fake.audits).toEqual([]);
});

test('so many streams may be open', async () => {
  const calls = Array.from({ length: 70 }, () => client.reflection('v1'));
  const failures: string[] = [];
  for (const call of calls) {
    call.on('data', () => {}).on('error', (error) => failures.push(error.message));
    call.write({ listServices: '' });
  }
  await vi.waitFor(() => expect(failures.filter((message) => /64 reflection streams/.test(message))).toHaveLength(6), PATIENCE);
  for (const call of calls) call.cancel();
  await vi.waitFor(async () => expect(await client.reflect('v1', [{ listServices: '' }])).toHaveLength(1), PATIENCE);
});
