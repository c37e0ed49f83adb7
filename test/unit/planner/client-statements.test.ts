import { describe, expect, test } from 'vitest';
import { asQuery, isWithoutEffect } from '#src/planner/client-statements.js';

describe('statements of client libraries', () => {
  test.each(['begin', 'BEGIN;', ' commit ', 'rollback', "SET timezone = 'UTC'", "set TimeZone='utc' ;"])('%s has no effect', (sql) => {
    expect(isWithoutEffect(sql)).toBe(true);
    expect(asQuery(sql)).toBeNull();
  });

  test('SHOW TABLES asks information_schema', () => {
    expect(asQuery('Show\n Tables;')).toContain('information_schema.tables');
  });

  test.each([
    '',
    'BEGIN TRANSACTION',
    'begin; DROP TABLE x',
    'commit -- x',
    "SET timezone = 'Europe/Berlin'",
    "SET timezone = 'UTC'; SELECT 1",
    "SET threads = 'UTC'",
    'SHOW ALL TABLES',
    'SHOW TOKENS',
    'SELECT 1',
    'EXPLAIN POLICY show tables',
    // Reading it takes a moment, not hours.
    `SELECT 1${' '.repeat(1_000_000)}x`,
    `SELECT 1${'; '.repeat(500_000)}x`,
  ])('%.40s is left to the gate', (sql) => {
    expect(isWithoutEffect(sql)).toBe(false);
    expect(asQuery(sql)).toBeNull();
  });
});
