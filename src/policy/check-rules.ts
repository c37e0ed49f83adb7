/** Row filters and masks against the datasets in their scope. */

import type { Column, Dataset, Mask, MaskRule, Predicate, RowFilterRule, RuleScope, Scalar, Snapshot } from '../model.ts';
import { foldName } from '../names.ts';
import { matchesAnyDataset, matchesPattern, parseObject } from './names.ts';
import { visitScalars } from './predicate.ts';
import { argumentClass, comparable, scalarClass, type TypeClass } from './type-class.ts';
import type { Report } from './types.ts';

export interface RuleContext {
  readonly snapshot: Snapshot;
  readonly roles: ReadonlySet<string>;
  readonly tags: ReadonlySet<string>;
  readonly supportsMask: (mask: Mask, type: string) => boolean;
}

/** Every column that the filter names must be there, and comparable with what it meets. */
export function checkFilterRule(rule: RowFilterRule, context: RuleContext, report: Report): void {
  checkScope(rule, context, report);
  const tagged = inScope(rule, context.snapshot).filter(
    (dataset) => rule.tags === undefined || rule.tags.some((tag) => dataset.tags.includes(tag)),
  );
  for (const dataset of tagged) {
    const fault = filterFault(rule.filter, new Map(dataset.columns.map((column) => [foldName(column.name), column])));
    if (fault !== null) report('break', `${dataset.schema}.${dataset.name}: ${fault}`, [dataset.id]);
  }
}

/** The mask must fit every column it meets, and meet one wherever it names a dataset. */
export function checkMaskRule(rule: MaskRule, context: RuleContext, report: Report): void {
  checkScope(rule, context, report);
  const datasets = inScope(rule, context.snapshot);
  for (const dataset of datasets) {
    const columns = dataset.columns.filter((column) => meets(rule, column));
    const unfit = columns.find((column) => rule.treatment.kind !== 'hide' && !context.supportsMask(rule.treatment, column.type));
    if (unfit !== undefined)
      report(
        'break',
        `${dataset.schema}.${dataset.name}: mask ${rule.treatment.kind} does not fit column ${unfit.name} of type ${unfit.type}`,
        [dataset.id],
      );
    if (columns.length === 0 && isNamed(rule, dataset))
      report('break', `${dataset.schema}.${dataset.name} has no column that this mask could cover`, [dataset.id]);
  }
  checkColumnNames(rule, datasets, context.snapshot, report);
}

/** A column name without `*` must exist in each dataset named outright, and in at least one of the others. */
function checkColumnNames(rule: MaskRule, datasets: readonly Dataset[], snapshot: Snapshot, report: Report): void {
  for (const name of (rule.columns ?? []).filter((pattern) => !pattern.includes('*'))) {
    const lacking = datasets.filter((dataset) => !dataset.columns.some((column) => matchesPattern(column.name, name)));
    const named = lacking.filter((dataset) => isNamed(rule, dataset));
    for (const dataset of named) report('break', `${dataset.schema}.${dataset.name} has no column ${name}`, [dataset.id]);
    if (named.length > 0 || lacking.length < datasets.length || snapshot.datasets.some((dataset) => dataset.broken !== undefined)) continue;
    if (rule.datasets === undefined) report('reject', `no dataset has a column ${name}`);
    else
      report(
        'break',
        `no dataset in its scope has a column ${name}`,
        datasets.map((dataset) => dataset.id),
      );
  }
}

function checkScope(rule: RuleScope, context: RuleContext, report: Report): void {
  const grants = new Set(context.snapshot.grants.map((grant) => grant.id));
  const unknown = (names: readonly string[] | undefined, known: ReadonlySet<string>): readonly string[] =>
    (names ?? []).filter((name) => !known.has(name));
  for (const role of unknown([...(rule.roles ?? []), ...(rule.exceptRoles ?? [])], context.roles))
    report('reject', `there is no role ${role}`);
  for (const tag of unknown(rule.tags, context.tags)) report('reject', `tag ${tag} is not declared in catalog.yaml`);
  for (const id of unknown(rule.grants, grants)) report('reject', `there is no grant ${id}`);
  for (const text of rule.datasets ?? []) {
    const kind = parseObject(text)?.kind;
    if (kind !== 'dataset' && kind !== 'all') report('reject', `${text} is no dataset pattern; use schema.name, with * for any part`);
    else if (!context.snapshot.datasets.some((dataset) => matchesAnyDataset([text], dataset)))
      report('reject', `no dataset is called ${text}`);
  }
}

/** Broken datasets are unreadable already. */
function inScope(rule: RuleScope, snapshot: Snapshot): readonly Dataset[] {
  return snapshot.datasets.filter(
    (dataset) => dataset.broken === undefined && (rule.datasets === undefined || matchesAnyDataset(rule.datasets, dataset)),
  );
}

function isNamed(rule: RuleScope, dataset: Dataset): boolean {
  return (rule.datasets ?? []).some((pattern) => !pattern.includes('*') && matchesAnyDataset([pattern], dataset));
}

function meets(rule: MaskRule, column: Column): boolean {
  const byName = rule.columns === undefined || rule.columns.some((pattern) => matchesPattern(column.name, pattern));
  return byName && (rule.tags === undefined || rule.tags.some((tag) => column.tags.includes(tag)));
}

type Columns = ReadonlyMap<string, Column>;

function filterFault(filter: Predicate, columns: Columns): string | null {
  const missing: string[] = [];
  visitScalars(filter, (scalar) => {
    if (scalar.kind === 'column' && !columns.has(foldName(scalar.name))) missing.push(scalar.name);
  });
  if (missing.length > 0) return `the filter names column ${missing.join(', ')}, which does not exist`;
  return typeFault(filter, columns);
}

function typeFault(predicate: Predicate, columns: Columns): string | null {
  switch (predicate.kind) {
    case 'and':
    case 'or':
      return predicate.operands.map((operand) => typeFault(operand, columns)).find((fault) => fault !== null) ?? null;
    case 'not':
      return typeFault(predicate.operand, columns);
    case 'compare':
      return mismatch([predicate.left, predicate.right], columns);
    case 'in':
      return mismatch([predicate.value, ...predicate.list], columns);
    case 'like':
      return mismatch([predicate.value, { kind: 'literal', value: '' }], columns);
    case 'isNull':
      return callFault(predicate.value, columns);
    case 'boolean':
      return null;
  }
}

/** An attribute fits any comparable class. */
function mismatch(scalars: readonly Scalar[], columns: Columns): string | null {
  const fault = scalars.map((scalar) => callFault(scalar, columns)).find((each) => each !== null);
  if (fault !== undefined) return fault;
  const classes = scalars
    .map((scalar) => scalarClass(scalar, columns))
    .filter((each): each is TypeClass => each !== null && each !== undefined);
  const [first, ...others] = classes;
  if (first === undefined || (first !== 'other' && others.every((each) => comparable(first, each)))) return null;
  const name = scalars.find((scalar) => scalar.kind === 'column')?.name;
  return `the filter compares ${name === undefined ? 'values' : `column ${name}`} with a value of another type`;
}

function callFault(scalar: Scalar, columns: Columns): string | null {
  if (scalar.kind !== 'call') return null;
  const wanted = argumentClass(scalar.function);
  const [argument, ...others] = scalar.args;
  if (argument === undefined) return wanted.length === 0 ? null : `${scalar.function} needs a value`;
  if (wanted.length === 0 || others.length > 0) return `${scalar.function} takes another number of values`;
  const kind = scalarClass(argument, columns);
  return kind === null || (kind !== undefined && wanted.includes(kind))
    ? callFault(argument, columns)
    : `${scalar.function} does not fit its value's type`;
}
