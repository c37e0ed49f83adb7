/** What a check found, so that the store can add file and line. */

/** The line or rule concerned; members are `<member> <role>`. */
export interface PolicySubject {
  readonly kind: 'model' | 'grant' | 'member' | 'filter' | 'mask';
  readonly id: string;
}

export interface PolicyFinding {
  readonly about: PolicySubject;
  readonly message: string;
  /** `reject`: the whole set stays out of force. `break`: `datasets` are unreadable. `warn`: nothing is wider than meant. */
  readonly effect: 'reject' | 'break' | 'warn';
  /** Dataset ids; only for `break`. */
  readonly datasets: readonly string[];
}

export type Report = (effect: PolicyFinding['effect'], message: string, datasets?: readonly string[]) => void;
