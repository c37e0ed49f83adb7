/** Types of policy-set.mjs, which the bench runs as plain JavaScript. */
export interface PolicySet {
  readonly catalog: unknown;
  readonly users: Readonly<
    Record<
      string,
      { readonly roles: readonly string[]; readonly groups?: readonly string[]; readonly attributes?: Readonly<Record<string, unknown>> }
    >
  >;
  readonly grants: readonly (readonly [role: string, object: string, action: string])[];
  readonly rowFilters?: readonly unknown[];
  readonly masks?: readonly unknown[];
}
export declare function passwordHash(password: string): string;
export declare function writePolicySet(directory: string, set: PolicySet): void;
