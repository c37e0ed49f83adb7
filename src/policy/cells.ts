/** One column's treatment out of every way the principal reaches the dataset (design §6). */
import type { Column, ColumnDecision, MaskRule, Predicate } from '../model.ts';
import { compareStrictness } from './mask-order.ts';
import { anyOfFactored, isAlways, isNever, predicateKey } from './predicate.ts';
import type { BoundFilter } from './rules.ts';

/** One way to the dataset, ready to be combined. */
export interface Access {
  /** null below a view, where the view's owner holds the right. */
  readonly grant: string | null;
  readonly filter: BoundFilter;
  /** Named roles on the way. */
  readonly via: ReadonlySet<string>;
  covers(column: Column): boolean;
  masks(column: Column): readonly MaskRule[];
}

/** Rows on which an `unmask` grant shows the raw value. */
export interface RawRegion {
  readonly grant: string;
  readonly rows: Predicate;
}

export function decideColumn(column: Column, accesses: readonly Access[], unmasked: readonly RawRegion[]): ColumnDecision {
  const covering = accesses.filter((access) => access.covers(column));
  if (covering.length === 0) return hidden(column, [], 'no grant gives this column');
  const masks = strictestFirst(covering.flatMap((access) => access.masks(column)));
  const raw = [...rawRegions(column, covering), ...unmasked];
  const shown = new Set(raw.map((region) => predicateKey(region.rows)));
  const rawIds = unique(raw.filter((region) => !isNever(region.rows)).map((region) => region.grant));
  if (raw.some((region) => isAlways(region.rows)) || accesses.every((access) => shown.has(predicateKey(access.filter.predicate))))
    return { name: column.name, treatment: { kind: 'raw' }, rules: rawIds, reason: rawReason(rawIds, masks) };
  return coverUp(column, masks, rawIds, anyOfFactored(raw.map((region) => region.rows)), leavesGap(accesses, covering));
}

/** A denied or uncovered column. */
export function hidden(column: Column, rules: readonly string[], reason: string): ColumnDecision {
  return { name: column.name, treatment: { kind: 'hidden' }, rules, reason };
}

function rawRegions(column: Column, covering: readonly Access[]): readonly RawRegion[] {
  const open = covering.filter((access) => access.masks(column).length === 0);
  return open.map((access) => ({ grant: access.grant ?? '', rows: access.filter.predicate }));
}

/** Rows of a grant without this column may be visible: a mask meant for other rows is no right to these. */
function leavesGap(accesses: readonly Access[], covering: readonly Access[]): boolean {
  const reached = new Set(covering.map((access) => predicateKey(access.filter.predicate)));
  if (covering.some((access) => isAlways(access.filter.predicate))) return false;
  return accesses.some((access) => !reached.has(predicateKey(access.filter.predicate)));
}

/** Outside the raw rows the strictest mask holds; over a gap the cell is NULL. */
function coverUp(column: Column, masks: readonly MaskRule[], rawIds: readonly string[], raw: Predicate, gap: boolean): ColumnDecision {
  const rawWhen = isNever(raw) ? null : raw;
  const [strictest, ...weaker] = masks;
  const rules = unique([...masks.map((rule) => rule.id), ...rawIds]);
  const where = rawWhen === null ? '' : `raw on the rows of ${rawIds.join(', ')}; elsewhere `;
  const nothing = { kind: 'masked', mask: { kind: 'null' }, rawWhen } as const;
  if (strictest?.treatment.kind === 'hide' && rawWhen === null) return hidden(column, rules, `hidden by ${strictest.id}`);
  if (strictest === undefined || gap)
    return { name: column.name, treatment: nothing, rules, reason: `${where}NULL: not every row is of a grant that gives this column` };
  const reason = `${where}masked by ${strictest.id}${weaker.length > 0 ? `, which is at least as strict as ${weaker.map((rule) => rule.id).join(', ')}` : ''}`;
  const { treatment } = strictest;
  return {
    name: column.name,
    treatment: treatment.kind === 'hide' ? nothing : { kind: 'masked', mask: treatment, rawWhen },
    rules,
    reason,
  };
}

/** Ties go by id, so that every node picks the same. */
function strictestFirst(rules: readonly MaskRule[]): readonly MaskRule[] {
  const distinct = [...new Map(rules.map((rule) => [rule.id, rule])).values()];
  return distinct.sort((a, b) => compareStrictness(a.treatment, b.treatment) || (a.id < b.id ? -1 : 1));
}

function rawReason(grants: readonly string[], masks: readonly MaskRule[]): string {
  if (grants.length === 0 || grants[0] === '') return 'no rule masks this column';
  return masks.length === 0
    ? `raw by ${grants.join(', ')}`
    : `raw by ${grants.join(', ')}, in spite of ${masks.map((rule) => rule.id).join(', ')}`;
}

function unique(ids: readonly string[]): readonly string[] {
  return [...new Set(ids)].filter((id) => id !== '');
}
