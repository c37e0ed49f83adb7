/** Which of two masks hides more. A total order, so that two nodes always pick the same one. */
import type { Mask } from '../model.ts';

/** `hide` is the strictest: it removes the column. */
export type ColumnTreatment = Mask | { readonly kind: 'hide' };

const RANK: Readonly<Record<ColumnTreatment['kind'], number>> = {
  hide: 9,
  null: 8,
  constant: 7,
  // Keyed; a plain hash of a phone number falls to a dictionary (docs/decisions/004).
  token: 6,
  hash: 5,
  redact: 4,
  first: 3,
  last: 3,
  email: 2,
  date: 1,
  round: 1,
};
const DATE_UNITS = ['day', 'month', 'quarter', 'year'];

/** Negative when `a` is stricter. Within a kind: fewer characters kept, coarser unit or step. 0 = as strict as each other. */
export function compareStrictness(a: ColumnTreatment, b: ColumnTreatment): number {
  return RANK[b.kind] - RANK[a.kind] || coarseness(b) - coarseness(a);
}

function coarseness(mask: ColumnTreatment): number {
  switch (mask.kind) {
    case 'first':
    case 'last':
      return -mask.count;
    case 'date':
      return DATE_UNITS.indexOf(mask.unit);
    case 'round':
      return mask.step;
    default:
      return 0;
  }
}
