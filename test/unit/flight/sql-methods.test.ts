import { expect, test } from 'vitest';
import { type SqlMethodsOptions, sqlMethods } from '#src/flight/index.js';
import { connectFlight } from '../../support/flight-client.ts';
import { sealer, startFake } from './fakes.ts';

test('every method of the Flight service has its handler', () => {
  const unused = {} as unknown as SqlMethodsOptions['planner'] & SqlMethodsOptions['worker']; // nothing is called
  expect(Object.keys(sqlMethods({ planner: unused, worker: unused, sealer, version: '1' })).sort()).toEqual([
    'DoAction',
    'DoExchange',
    'DoGet',
    'DoPut',
    'GetFlightInfo',
    'GetSchema',
    'Handshake',
    'ListActions',
    'ListFlights',
    'PollFlightInfo',
  ]);
});

test('GetSqlInfo tells the version', async () => {
  const fake = await startFake();
  await using client = await connectFlight({ port: fake.port, user: 'ada' });
  const table = await client.run('CommandGetSqlInfo', { info: [1] });
  expect(table.getChild('value')?.get(0)).toContain('1.2.3');
  await fake[Symbol.asyncDispose]();
});
