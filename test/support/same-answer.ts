/** Compares two answers as SQL means it: a bag of rows, floats up to rounding. */
import { expect } from 'vitest';
import type { Answer, JdbcAnswer } from './clients.ts';

/** Sums of floats depend on the order of the rows. */
const RELATIVE = 1e-9;

/** The columns are equal by name and Arrow type, the rows as a multiset. */
export function expectSameAnswer(actual: Answer, expected: Answer, what: string): void {
  expect(actual.columns, what).toEqual(expected.columns);
  expect(actual.rows.length, `${what}: number of rows`).toBe(expected.rows.length);
  const [left, right] = [sorted(actual), sorted(expected)];
  const differing = left.findIndex((row, index) => !sameRow(row, right[index] ?? []));
  if (differing >= 0) expect(left[differing], `${what}: row ${differing} in order of its values`).toEqual(right[differing]);
}

/** A LIMIT over ties may keep other rows: then the two answers agree only in what the order decides. */
export function isSameAnswer(actual: Answer, expected: Answer): boolean {
  if (actual.rows.length !== expected.rows.length) return false;
  const [left, right] = [sorted(actual), sorted(expected)];
  return left.every((row, index) => sameRow(row, right[index] ?? []));
}

/** By exact values first and floats last, so that rounding can't change the order of rows that differ. */
function sorted(answer: Answer): readonly (readonly unknown[])[] {
  const floats = answer.columns.map(([, type]) => type === 'double' || type === 'float');
  const keyed = answer.rows.map((row) => ({
    row,
    exact: JSON.stringify(row.filter((_, index) => floats[index] !== true)),
    inexact: row.filter((_, index) => floats[index] === true).map(Number),
  }));
  keyed.sort((a, b) => (a.exact < b.exact ? -1 : a.exact > b.exact ? 1 : compareNumbers(a.inexact, b.inexact)));
  return keyed.map(({ row }) => row);
}

function compareNumbers(a: readonly number[], b: readonly number[]): number {
  for (const [index, value] of a.entries()) {
    const difference = value - (b[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

function sameRow(actual: readonly unknown[], expected: readonly unknown[]): boolean {
  return actual.length === expected.length && actual.every((value, index) => sameCell(value, expected[index]));
}

function sameCell(actual: unknown, expected: unknown): boolean {
  if (typeof actual !== 'number' || typeof expected !== 'number') return JSON.stringify(actual) === JSON.stringify(expected);
  return Math.abs(actual - expected) <= RELATIVE * Math.max(Math.abs(actual), Math.abs(expected));
}

/**
 * JDBC's getObject as text against the Arrow values. A Statement's result without rows has its columns twice: driver 18.3.0 appends the schema to
 * one that is there already (ArrowFlightStatement.executeFlightInfoQuery) and clears the list only when rows come.
 */
export function expectSameText(actual: JdbcAnswer, expected: Answer, what: string): void {
  const names = expected.columns.map(([name]) => name);
  const labels = actual.columns.map(([label]) => label);
  expect(actual.rows.length === 0 ? labels.slice(0, names.length) : labels, what).toEqual(names);
  const types = expected.columns.map(([, type]) => type);
  expect(
    actual.rows.map((row) => row.map((cell, index) => spell(cell, types[index] ?? ''))),
    what,
  ).toEqual(expected.rows.map((row) => row.map((cell, index) => spell(cell, types[index] ?? ''))));
}

function spell(cell: unknown, type: string): unknown {
  if (cell === null) return null;
  if (type === 'double') return Number(Number(cell).toPrecision(12));
  if (type.startsWith('timestamp'))
    return String(cell)
      .replace('T', ' ')
      .replace(/(\.\d*?)0+$/, '$1')
      .replace(/\.$/, '');
  return String(cell);
}
