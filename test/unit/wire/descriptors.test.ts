import protobuf from 'protobufjs';
import descriptor from 'protobufjs/ext/descriptor.js';
import { expect, test } from 'vitest';
import { describeServices } from '#src/wire/index.js';

const files = describeServices();
const decoded = files.map(({ bytes }) => descriptor.FileDescriptorProto.toObject(descriptor.FileDescriptorProto.decode(bytes)));

test('every public service is described, ours is not', () => {
  expect(files.flatMap(({ services }) => services)).toEqual([
    'arrow.flight.protocol.FlightService',
    'grpc.health.v1.Health',
    'grpc.reflection.v1.ServerReflection',
    'grpc.reflection.v1alpha.ServerReflection',
  ]);
  expect(JSON.stringify(decoded)).not.toMatch(/sluice/i);
});

test('names and imports are what clients look for', () => {
  expect(decoded.map(({ name, package: within, dependency = [] }) => [name, within, dependency])).toEqual([
    ['Flight.proto', 'arrow.flight.protocol', ['google/protobuf/timestamp.proto']],
    ['grpc/health/v1/health.proto', 'grpc.health.v1', []],
    ['grpc/reflection/v1/reflection.proto', 'grpc.reflection.v1', []],
    ['grpc/reflection/v1alpha/reflection.proto', 'grpc.reflection.v1alpha', []],
    ['google/protobuf/timestamp.proto', 'google.protobuf', []],
  ]);
  const flight = files[0]?.symbols;
  for (const symbol of ['FlightService', 'FlightService.DoGet', 'Ticket', 'FlightDescriptor.DescriptorType'])
    expect(flight?.has(`arrow.flight.protocol.${symbol}`), symbol).toBe(true);
});

test('a client can build the messages from the descriptors', () => {
  const root = protobuf.Root.fromDescriptor({ file: decoded });
  const ticket = root.lookupType('arrow.flight.protocol.Ticket');
  expect(Buffer.from(ticket.encode({ ticket: Buffer.from('x') }).finish())).toEqual(Buffer.of(0x0a, 1, 0x78));
  const doGet = root.lookupService('arrow.flight.protocol.FlightService').methods['DoGet'];
  expect(doGet).toMatchObject({ responseStream: true });
  expect(root.lookupType('arrow.flight.protocol.FlightEndpoint').fields).toHaveProperty('expirationTime');
});
