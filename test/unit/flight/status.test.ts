import { status } from '@grpc/grpc-js';
import { expect, test } from 'vitest';
import { ERRORS, type ErrorCode, SluiceError } from '#src/errors.js';
import { grpcCode, outcomeOf, publicMessage } from '#src/flight/status.js';

test('every registered error has a gRPC status and an outcome', () => {
  for (const code of Object.keys(ERRORS) as ErrorCode[]) {
    const error = new SluiceError(code, 'x');
    expect(status[grpcCode(error)]).toBe(ERRORS[code].status);
    expect(outcomeOf(error)).toMatch(/^(refused|error|cancelled)$/);
  }
});

test.each([
  ['auth.invalid', 'refused'],
  ['dataset.unknown', 'refused'],
  ['sql.runtime', 'error'],
  ['limit.memory', 'error'],
  ['server.internal', 'error'],
  ['request.cancelled', 'cancelled'],
  ['request.deadline', 'cancelled'],
] as const)('%s is %s', (code, outcome) => {
  expect(outcomeOf(new SluiceError(code, 'x'))).toBe(outcome);
});

test('an internal fault shows its request only, and no text breaks the trailer', () => {
  expect(publicMessage(new SluiceError('server.internal', 'secret'), 'r1')).toBe('internal error, request r1');
  expect(publicMessage(new SluiceError('sql.syntax', 'near "x"'), 'r1')).toBe('near "x"');
  expect(() => encodeURI(publicMessage(new SluiceError('sql.syntax', 'a\ud800b'), 'r1'))).not.toThrow();
  expect(publicMessage(new SluiceError('sql.syntax', 'x'.repeat(1e6)), 'r1').length).toBe(2000);
});
