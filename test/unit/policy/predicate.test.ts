import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Predicate, Scalar } from '#src/model.js';
import { allOf, anyOf, anyOfFactored, memberOf, negate, simplify, visitScalars } from '#src/policy/predicate.js';
import { SEED } from '../../support/seed.ts';
import { evaluate } from './evaluate.ts';

const yes: Predicate = { kind: 'boolean', value: true };
const no: Predicate = { kind: 'boolean', value: false };
const is = (name: string, value: number = 1): Predicate => ({
  kind: 'compare',
  op: '=',
  left: { kind: 'column', name },
  right: { kind: 'literal', value },
});

describe('folding', () => {
  test('constants, nesting and repeats go away', () => {
    expect(allOf([yes, is('a'), { kind: 'and', operands: [is('a'), is('b')] }])).toEqual({ kind: 'and', operands: [is('a'), is('b')] });
    expect(allOf([is('a'), no])).toEqual(no);
    expect(allOf([])).toEqual(yes);
    expect(anyOf([no, is('a'), is('a')])).toEqual(is('a'));
    expect(anyOf([is('a'), yes])).toEqual(yes);
    expect(anyOf([])).toEqual(no);
    expect(negate(negate(is('a')))).toEqual(is('a'));
    expect(negate(yes)).toEqual(no);
    expect(simplify({ kind: 'not', operand: { kind: 'or', operands: [no, no] } })).toEqual(yes);
  });

  test('membership drops repeats', () => {
    const x: Scalar = { kind: 'column', name: 'x' };
    const one: Scalar = { kind: 'literal', value: 1 };
    expect(memberOf(x, [])).toEqual(no);
    expect(memberOf(x, [one, one])).toEqual({ kind: 'compare', op: '=', left: x, right: one });
    expect(memberOf(x, [one, { kind: 'literal', value: '1' }])).toMatchObject({ kind: 'in', list: [{ value: 1 }, { value: '1' }] });
  });

  test('what every operand requires comes out in front', () => {
    expect(anyOfFactored([allOf([is('r'), is('a')]), allOf([is('b'), is('r')])])).toEqual(allOf([is('r'), anyOf([is('a'), is('b')])]));
    expect(anyOfFactored([is('r'), allOf([is('r'), is('a')])])).toEqual(is('r'));
    expect(anyOfFactored([no, is('a')])).toEqual(is('a'));
    expect(anyOfFactored([no])).toEqual(no);
    expect(anyOfFactored([yes, is('a')])).toEqual(yes);
  });

  const leaf = fc.oneof(
    fc.constantFrom('a', 'b', 'c').map((name) => is(name)),
    fc.constantFrom(yes, no),
  );
  const { tree } = fc.letrec<{ tree: Predicate }>((tie) => ({
    tree: fc.oneof(
      { depthSize: 'small', maxDepth: 4 },
      leaf,
      fc.array(tie('tree'), { maxLength: 3 }).map((operands): Predicate => ({ kind: 'and', operands })),
      fc.array(tie('tree'), { maxLength: 3 }).map((operands): Predicate => ({ kind: 'or', operands })),
      tie('tree').map((operand): Predicate => ({ kind: 'not', operand })),
    ),
  }));
  const row = fc.record({ a: fc.constantFrom(1, 2, null), b: fc.constantFrom(1, 2, null), c: fc.constantFrom(1, 2, null) });

  test('keeps three-valued truth', () => {
    fc.assert(
      fc.property(tree, row, (predicate, values) => evaluate(simplify(predicate), values) === evaluate(predicate, values)),
      { seed: SEED, numRuns: 3000 },
    );
    fc.assert(
      fc.property(fc.array(tree, { maxLength: 4 }), row, (operands, values) => {
        return evaluate(anyOfFactored(operands.map(simplify)), values) === evaluate({ kind: 'or', operands }, values);
      }),
      { seed: SEED, numRuns: 3000 },
    );
  });
});

test('every scalar is visited', () => {
  const seen: string[] = [];
  const column = (name: string): Scalar => ({ kind: 'column', name });
  const predicate: Predicate = {
    kind: 'and',
    operands: [
      { kind: 'not', operand: { kind: 'compare', op: '<', left: column('a'), right: column('b') } },
      { kind: 'in', value: column('c'), list: [column('d'), { kind: 'call', function: 'lower', args: [column('e')] }] },
      { kind: 'isNull', value: column('f') },
      { kind: 'like', value: column('g'), pattern: '%' },
      yes,
    ],
  };
  visitScalars(predicate, (scalar) => scalar.kind === 'column' && seen.push(scalar.name));
  expect(seen.join('')).toBe('abcdefg');
});
