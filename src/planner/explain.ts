/** `EXPLAIN POLICY [AS USER 'name'] <query>`: why a principal sees what it sees, one row per dataset and column touched. */
import { Table as ArrowTable, Int64, type Table, Utf8, type Vector, vectorFromArray } from 'apache-arrow';
import type { AllowDecision, ColumnDecision, Decision, Predicate, RowFilterRule, Scalar, Snapshot } from '../model.ts';
import { foldName } from '../names.ts';
import { describeMask, describePredicate, type PrincipalPolicy } from '../policy/index.ts';
import type { Bound } from './bind.ts';
import type { ReadEntry, Reading } from './files.ts';
import type { Split } from './split.ts';

/** The parts of an EXPLAIN POLICY statement; null when it is none. */
export function parseExplain(sql: string): { readonly user: string | null; readonly query: string } | null {
  const match = /^\s*explain\s+policy\b(?:\s+as\s+user\s+'((?:[^']|'')*)')?([\s\S]*)$/i.exec(sql);
  if (match === null) return null;
  return { user: match[1]?.replaceAll("''", "'") ?? null, query: match[2] ?? '' };
}

/** How much the reader may know: an auditor all, everyone else nothing hidden and no constant of a rule. */
export type Viewer = 'self' | 'auditor';

/** A statement with the files that it reads. */
export interface ExplainedBound extends Bound {
  readonly entries: readonly ReadEntry[];
}

interface ExplainRow {
  readonly dataset: string;
  readonly column: string | null;
  readonly decision: string;
  readonly roles: string;
  readonly grants: string;
  readonly row_filter: string | null;
  readonly mask: string | null;
  readonly rules: string;
  readonly reason: string;
  readonly path: string | null;
  readonly path_reason: string | null;
  readonly placement: string | null;
  readonly placement_reason: string | null;
}

const COLUMNS = [
  'dataset',
  'column',
  'decision',
  'roles',
  'grants',
  'row_filter',
  'mask',
  'rules',
  'reason',
  'path',
  'path_reason',
  'placement',
  'placement_reason',
] as const satisfies readonly (keyof ExplainRow)[];

/** The result set; `epoch` is the policy epoch that decided. */
export function explainTable(bound: ExplainedBound, snapshot: Snapshot, rights: PrincipalPolicy, viewer: Viewer, split: Split): Table {
  const touched = touchedColumns(bound.ast);
  const rows = allDecisions(bound, rights, viewer).flatMap((decision) =>
    explainDataset(decision, bound, snapshot, rights.roles, viewer, touched, split),
  );
  const vectors: Record<string, Vector> = {};
  for (const column of COLUMNS)
    vectors[column] = vectorFromArray(
      rows.map((row) => row[column]),
      new Utf8(),
    );
  vectors['epoch'] = vectorFromArray(
    rows.map(() => BigInt(snapshot.epoch)),
    new Int64(),
  );
  return new ArrowTable(vectors);
}

/** What the statement names, then the bases that its views stand on, unless their very names are hidden. */
function allDecisions(bound: ExplainedBound, rights: PrincipalPolicy, viewer: Viewer): readonly Decision[] {
  const named = new Set(bound.decisions.map(({ dataset }) => dataset));
  const bases = bound.entries.filter(
    ({ dataset, base }) => base === true && !named.has(dataset.id) && (viewer === 'auditor' || rights.mayDescribe(dataset)),
  );
  return [...bound.decisions, ...bases.map(({ decision }) => decision)];
}

function explainDataset(
  decision: Decision,
  bound: ExplainedBound,
  snapshot: Snapshot,
  roles: readonly string[],
  viewer: Viewer,
  touched: TouchedColumns,
  split: Split,
): readonly ExplainRow[] {
  const dataset = snapshot.datasets.find(({ id }) => id === decision.dataset);
  const name = dataset === undefined ? decision.dataset : `${dataset.schema}.${dataset.name}`;
  const empty = { column: null, row_filter: null, mask: null, path: null, path_reason: null, placement: null, placement_reason: null };
  if (decision.effect === 'deny')
    return [
      {
        ...empty,
        dataset: name,
        decision: 'deny',
        roles: roles.join(', '),
        grants: '',
        rules: decision.rules.join(', '),
        reason: decision.reason,
      },
    ];
  const entry = bound.entries.find((candidate) => candidate.dataset.id === decision.dataset);
  const head: ExplainRow = {
    ...empty,
    dataset: name,
    decision: decision.rowFilter === null ? 'allow' : 'conditional',
    roles: decision.roles.join(', '),
    grants: describeGrants(decision, snapshot, viewer),
    row_filter: describeFilter(decision, snapshot, viewer),
    rules: decision.rules.join(', '),
    reason: decision.rowFilter === null ? 'every row' : 'only rows that satisfy the row filter',
    path: entry?.barrier === true ? 'barrier' : 'plain',
    path_reason: bound.barrierReason,
    placement: split.shares === null ? 'worker' : `worker, in ${split.shares.length} shares`,
    placement_reason: [split.reason, ...readingWords(entry?.reading)].join('; '),
  };
  const columns = decision.columns.filter(
    (column) => touched.has(column.name) && (viewer === 'auditor' || column.treatment.kind !== 'hidden'),
  );
  return [head, ...columns.map((column) => explainColumn(head, column, viewer))];
}

/** Nothing of files that the row filter leaves out. */
function readingWords(reading: Reading | undefined): readonly string[] {
  if (reading === undefined) return [];
  const { files, allFiles, bytes, allBytes } = reading;
  const read = `reads ${files} of ${allFiles} files, ${bytes} of ${allBytes} bytes`;
  return [files < allFiles ? `${read}: its conditions rule the others out` : read];
}

function explainColumn(head: ExplainRow, column: ColumnDecision, viewer: Viewer): ExplainRow {
  const { treatment } = column;
  const raw = treatment.kind === 'masked' && treatment.rawWhen !== null;
  return {
    ...head,
    column: column.name,
    decision: treatment.kind === 'masked' ? (raw ? 'conditional' : 'masked') : treatment.kind,
    row_filter: null,
    mask: treatment.kind === 'masked' ? maskWords(treatment, viewer) : null,
    rules: column.rules.join(', '),
    reason: column.reason,
  };
}

function maskWords(treatment: Extract<ColumnDecision['treatment'], { kind: 'masked' }>, viewer: Viewer): string {
  const words = viewer === 'self' && treatment.mask.kind === 'constant' ? 'a constant' : describeMask(treatment.mask);
  if (treatment.rawWhen === null) return words;
  return viewer === 'auditor'
    ? `${words}; raw where ${describePredicate(treatment.rawWhen)}`
    : `${words}; raw on rows that another grant opens`;
}

/** Which clusters a grant is limited to is the auditor's to know. */
function describeGrants({ grants }: AllowDecision, snapshot: Snapshot, viewer: Viewer): string {
  const words = grants.map((id) => {
    const cluster = snapshot.grants.find((grant) => grant.id === id)?.cluster;
    if (cluster === undefined) return id;
    return viewer === 'auditor' ? `${id} (in clusters ${cluster} only)` : `${id} (not in all clusters)`;
  });
  return words.join(', ');
}

/** Everyone may read which attribute limits them; constants and hidden columns of a rule are the auditor's. */
function describeFilter(decision: AllowDecision, snapshot: Snapshot, viewer: Viewer): string | null {
  if (decision.rowFilter === null) return null;
  if (viewer === 'auditor') return describePredicate(decision.rowFilter);
  const visible = new Set(decision.columns.filter(({ treatment }) => treatment.kind !== 'hidden').map(({ name }) => foldName(name)));
  const rules = decision.rules
    .map((id) => snapshot.rowFilters.find((rule) => rule.id === id))
    .filter((rule): rule is RowFilterRule => rule !== undefined);
  return rules.map((rule) => describePredicate(redactPredicate(rule.filter, visible))).join('; ');
}

function redactPredicate(predicate: Predicate, visible: ReadonlySet<string>): Predicate {
  const scalar = (value: Scalar): Scalar => redactScalar(value, visible);
  switch (predicate.kind) {
    case 'boolean':
      return predicate;
    case 'and':
    case 'or':
      return { ...predicate, operands: predicate.operands.map((operand) => redactPredicate(operand, visible)) };
    case 'not':
      return { ...predicate, operand: redactPredicate(predicate.operand, visible) };
    case 'compare':
      return { ...predicate, left: scalar(predicate.left), right: scalar(predicate.right) };
    case 'in':
      return { ...predicate, value: scalar(predicate.value), list: predicate.list.slice(0, 1).map(scalar) };
    case 'isNull':
      return { ...predicate, value: scalar(predicate.value) };
    case 'like':
      return { ...predicate, value: scalar(predicate.value), pattern: '…' };
  }
}

function redactScalar(scalar: Scalar, visible: ReadonlySet<string>): Scalar {
  switch (scalar.kind) {
    case 'literal':
      return { kind: 'literal', value: '…' };
    case 'column':
      return visible.has(foldName(scalar.name)) ? scalar : { kind: 'column', name: 'a hidden column' };
    case 'attribute':
      return scalar;
    case 'call':
      return { ...scalar, args: scalar.args.map((arg) => redactScalar(arg, visible)) };
  }
}

interface TouchedColumns {
  has(column: string): boolean;
}

/** Names in any column reference; a star, USING or NATURAL join counts as all, since it may touch any. */
function touchedColumns(ast: unknown): TouchedColumns {
  const names = new Set<string>();
  let all = false;
  const walk = (node: unknown): void => {
    if (typeof node !== 'object' || node === null) return;
    const fields = node as Readonly<Record<string, unknown>>;
    if (fields['class'] === 'STAR' || fields['ref_type'] === 'NATURAL' || fields['type'] === 'SHOW_REF') all = true;
    for (const name of [fields['column_names'], fields['using_columns']].flat()) if (typeof name === 'string') names.add(foldName(name));
    for (const child of Object.values(fields)) walk(child);
  };
  walk(ast);
  return { has: (column) => all || names.has(foldName(column)) };
}
