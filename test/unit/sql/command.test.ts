import { describe, expect, test } from 'vitest';
import { parseCommand } from '#src/sql/index.js';

const NAMES = { catalogName: 'lake', defaultSchema: 'demo' };
const parse = (sql: string) => parseCommand(sql, NAMES);
const T = { schema: 'scratch', name: 't' };

describe('commands', () => {
  test.each<[string, object, string | null]>([
    ['CREATE TABLE scratch.t AS SELECT 1', { kind: 'createTable', table: T, ifExists: 'fail' }, 'SELECT 1'],
    ['create or replace table lake.scratch.t as (select 1);;', { kind: 'createTable', table: T, ifExists: 'replace' }, '(select 1)'],
    [
      'CREATE TABLE IF NOT EXISTS t AS WITH a AS (SELECT 1) SELECT * FROM a -- end',
      { kind: 'createTable', table: { schema: 'demo', name: 't' }, ifExists: 'keep' },
      'WITH a AS (SELECT 1) SELECT * FROM a',
    ],
    [
      '/* a /* b */ */ CREATE -- c\n TABLE "scr""atch" . "T as" AS\nVALUES (1)',
      { kind: 'createTable', table: { schema: 'scr"atch', name: 'T as' }, ifExists: 'fail' },
      'VALUES (1)',
    ],
    ["INSERT INTO scratch.t VALUES (1, 'a;b')", { kind: 'insert', table: T, columns: [] }, "VALUES (1, 'a;b')"],
    ['insert into scratch.t ("a b", C) select 1, 2 ;', { kind: 'insert', table: T, columns: ['a b', 'C'] }, 'select 1, 2'],
    ['INSERT INTO scratch.t (SELECT a, b FROM people)', { kind: 'insert', table: T, columns: [] }, '(SELECT a, b FROM people)'],
    ['DROP TABLE scratch.t', { kind: 'dropTable', table: T, ifExists: false }, null],
    ['drop table if exists "scratch"."t";', { kind: 'dropTable', table: T, ifExists: true }, null],
    ['CREATE TOKEN laptop', { kind: 'createToken', name: 'laptop', ttlMs: null }, null],
    ['CREATE TOKEN "my laptop" EXPIRES IN \'30 days\'', { kind: 'createToken', name: 'my laptop', ttlMs: 30 * 86_400_000 }, null],
    ["create token a expires in '1 Hour';", { kind: 'createToken', name: 'a', ttlMs: 3_600_000 }, null],
    ['DROP TOKEN laptop', { kind: 'dropToken', name: 'laptop' }, null],
    ['show tokens', { kind: 'showTokens' }, null],
    ['show workers;', { kind: 'showWorkers' }, null],
    ['SHOW CACHE', { kind: 'showCache' }, null],
    ['refresh dataset scratch.t', { kind: 'refreshDataset', table: T }, null],
    ['PIN DATASET lake.scratch."t";', { kind: 'pin', table: T }, null],
    ['UNPIN DATASET t', { kind: 'unpin', table: { schema: 'demo', name: 't' } }, null],
    [
      "REGISTER DATASET scratch.t FROM lake 'events/'",
      { kind: 'registerDataset', table: T, connection: 'lake', path: 'events/', format: 'parquet', hivePartitioning: false },
      null,
    ],
    [
      'register dataset "a b".t from "my lake" \'it\'\'s/*.csv\' format CSV hive -- now',
      {
        kind: 'registerDataset',
        table: { schema: 'a b', name: 't' },
        connection: 'my lake',
        path: "it's/*.csv",
        format: 'csv',
        hivePartitioning: true,
      },
      null,
    ],
  ])('%s', (sql, command, query) => {
    expect(parse(sql)).toEqual({ command, query });
  });

  test.each([
    '',
    ';',
    'SELECT 1',
    'CREATE TABLE t (a INTEGER)',
    'CREATE TABLE t',
    'CREATE TABLE t AS',
    'CREATE TABLE t AS ;',
    'CREATE TEMP TABLE t AS SELECT 1',
    'CREATE VIEW t AS SELECT 1',
    'CREATE TABLE a.b.c.d AS SELECT 1',
    'CREATE TABLE other.scratch.t AS SELECT 1',
    'CREATE TABLE a..b AS SELECT 1',
    "CREATE TABLE 'f.parquet' AS SELECT 1",
    'CREATE OR REPLACE TABLE IF NOT EXISTS t AS SELECT 1',
    'INSERT INTO t',
    'INSERT INTO t (a)',
    'INSERT OR REPLACE INTO t SELECT 1',
    'WITH a AS (SELECT 1) INSERT INTO t SELECT * FROM a',
    'DROP TABLE t CASCADE',
    'DROP TABLE a, b',
    'DROP TABLE t; DROP TABLE u',
    'DROP SCHEMA scratch',
    'CREATE TOKEN',
    "CREATE TOKEN 'a'",
    "CREATE TOKEN a EXPIRES IN 'soon'",
    "CREATE TOKEN a EXPIRES IN '0 days'",
    "CREATE TOKEN a EXPIRES IN '-1 days'",
    "CREATE TOKEN a EXPIRES IN E'1 day'",
    'CREATE TOKEN a EXPIRES IN $$1 day$$',
    'DROP TOKEN IF EXISTS a',
    'SHOW TOKENS LIKE x',
    'SHOW TABLES',
    'SHOW CACHE FOR x',
    'REFRESH t',
    'PIN t',
    '"register" DATASET t',
    '"create" TABLE t AS SELECT 1',
  ])('is none, and left to the gate: %s', (sql) => {
    expect(parse(sql)).toBeNull();
  });

  test.each([
    'REGISTER DATASET',
    'REGISTER DATASET t',
    "REGISTER DATASET t FROM 'events/'",
    'REGISTER DATASET t FROM lake events',
    "REGISTER DATASET t FROM lake E'events/'",
    'REGISTER DATASET t FROM lake $$events$$',
    "REGISTER DATASET t FROM lake 'a' FORMAT orc",
    "REGISTER DATASET t FROM lake 'a' FORMAT",
    "REGISTER DATASET t FROM lake 'a' HIVE FORMAT csv",
    "REGISTER DATASET t FROM lake 'a', 'b'",
    "REGISTER DATASET t FROM lake 'a'; SELECT 1",
    "REGISTER DATASET other.scratch.t FROM lake 'a'",
    'REFRESH DATASET',
    'REFRESH DATASET a, b',
    "PIN DATASET 'f.parquet'",
    'UNPIN DATASET t; SELECT 1',
  ])('half of one says how to write it: %s', (sql) => {
    expect(() => parse(sql)).toThrow(expect.objectContaining({ code: 'sql.syntax', message: expect.stringContaining('write ') }));
  });
});
