/**
 * Principal + dataset → decision, by Casbin's roles and grants, row filters and masks (design §6).
 * Does no I/O and builds no SQL: a decision is a plain value.
 * Errors: policy.invalid when a snapshot's model or lines do not load. A denial is a value, not an error.
 */
export { checkPolicy } from './check.ts';
export { compilePolicy, type Policy, type PrincipalPolicy } from './policy.ts';
export { requireSteward, stewardDataset } from './steward.ts';
export { describeMask, describePredicate } from './words.ts';
