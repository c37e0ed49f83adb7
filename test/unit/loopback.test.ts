import { expect, test } from 'vitest';
import { isLoopback } from '#src/loopback.js';

test.each(['localhost', '127.0.0.1', '127.1.2.3', '::1', '[::1]'])('%s is this machine alone', (host) => {
  expect(isLoopback(host)).toBe(true);
});

test.each(['', '0.0.0.0', '::', '[::]', '127.0.0.1.example.com', '127.0.0', '10.127.0.1', 'localhost.example.com', '1127.0.0.1'])(
  '%j is not',
  (host) => {
    expect(isLoopback(host)).toBe(false);
  },
);
