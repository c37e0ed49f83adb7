import { expect, test } from 'vitest';
import type { Column, MaskRule, Predicate } from '#src/model.js';
import { type Access, decideColumn, hidden } from '#src/policy/cells.js';

const column: Column = { name: 'c', type: 'VARCHAR', tags: [] };
const yes: Predicate = { kind: 'boolean', value: true };
const no: Predicate = { kind: 'boolean', value: false };
const rows = (value: number): Predicate => ({
  kind: 'compare',
  op: '=',
  left: { kind: 'column', name: 'x' },
  right: { kind: 'literal', value },
});
const mask = (id: string, treatment: MaskRule['treatment']): MaskRule => ({ id, treatment });

function access(grant: string, predicate: Predicate, masks: readonly MaskRule[] = [], covers: boolean = true): Access {
  return { grant, filter: { predicate, rules: [] }, via: new Set(), covers: () => covers, masks: () => masks };
}

test('no way to the column hides it', () => {
  expect(decideColumn(column, [access('g', yes, [], false)], [])).toEqual(hidden(column, [], 'no grant gives this column'));
});

test('raw everywhere when every visible row is on a raw way', () => {
  expect(decideColumn(column, [access('g', rows(1))], []).treatment).toEqual({ kind: 'raw' });
  expect(decideColumn(column, [access('g', rows(1)), access('h', rows(1), [mask('m', { kind: 'hash' })])], []).treatment).toEqual({
    kind: 'raw',
  });
  expect(decideColumn(column, [access('g', rows(1), [mask('m', { kind: 'hash' })])], [{ grant: 'u', rows: yes }])).toMatchObject({
    treatment: { kind: 'raw' },
    reason: 'raw by u, in spite of m',
  });
});

test('the strictest mask, ties by rule id', () => {
  const masks = [mask('z', { kind: 'first', count: 4 }), mask('a', { kind: 'last', count: 4 }), mask('m', { kind: 'email' })];
  expect(decideColumn(column, [access('g', yes, masks)], [])).toMatchObject({
    treatment: { kind: 'masked', mask: { kind: 'last' }, rawWhen: null },
    rules: ['a', 'z', 'm'],
    reason: 'masked by a, which is at least as strict as z, m',
  });
});

test('an unmask region that is never true gives nothing', () => {
  const decision = decideColumn(column, [access('g', yes, [mask('m', { kind: 'hash' })])], [{ grant: 'u', rows: no }]);
  expect(decision.treatment).toEqual({ kind: 'masked', mask: { kind: 'hash' }, rawWhen: null });
  expect(decision.rules).toEqual(['m']);
});

test('rows of a grant that lacks the column show NULL when no mask is at hand, else the mask', () => {
  const bare = access('h', rows(2), [], false);
  expect(decideColumn(column, [access('g', rows(1)), bare], []).treatment).toEqual({
    kind: 'masked',
    mask: { kind: 'null' },
    rawWhen: rows(1),
  });
});

test('an uncovered row never shows a mask that was meant for others', () => {
  const bare = access('h', yes, [], false);
  const decision = decideColumn(column, [access('g', rows(1), [mask('m', { kind: 'last', count: 4 })]), bare], []);
  expect(decision.treatment).toEqual({ kind: 'masked', mask: { kind: 'null' }, rawWhen: null });
});
