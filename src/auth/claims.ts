/** Verified claims → subject, groups and attributes. Whatever has an unexpected type counts as absent. */
import { fail } from '../errors.ts';
import { OIDC_PREFIX } from '../names.ts';

export interface ClaimNames {
  readonly subject: string;
  /** Their values all become groups. */
  readonly groups: readonly string[];
  /** Attribute → claim. */
  readonly attributes: Readonly<Record<string, string>>;
}

export interface ClaimedFacts {
  readonly subject: string;
  readonly groups: readonly string[];
  readonly attributes: Readonly<Record<string, readonly string[]>>;
}

type Claims = Readonly<Record<string, unknown>>;

const SUBJECT_CHARACTERS_MAX = 255;
const VALUES_MAX = 1000;

/** Fails with auth.invalid when there is no usable subject. */
export function readClaims(claims: Claims, names: ClaimNames): ClaimedFacts {
  const groups = names.groups.flatMap((name) => textsOf(claimAt(claims, name)).filter(isName));
  const attributes = Object.entries(names.attributes).map(([attribute, claim]) => [attribute, unique(textsOf(claimAt(claims, claim)))]);
  return {
    subject: OIDC_PREFIX + readSubject(claims, names.subject),
    groups: unique(groups.map((group) => OIDC_PREFIX + group)),
    attributes: Object.fromEntries(attributes),
  };
}

function readSubject(claims: Claims, name: string): string {
  const subject = claimAt(claims, name);
  if (typeof subject !== 'string' || !isName(subject)) fail('auth.invalid', `the token holds no usable claim ${name}`);
  // Anybody may have written an unverified address into a profile.
  if (name === 'email' && claims['email_verified'] !== true) fail('auth.invalid', 'the e-mail address in the token is not verified');
  return subject;
}

/** The claim of exactly that name, or else the dots step into objects: `realm_access.roles`. */
function claimAt(claims: Claims, name: string): unknown {
  if (Object.hasOwn(claims, name)) return claims[name];
  return name.split('.').reduce<unknown>((value, key) => (isObject(value) && Object.hasOwn(value, key) ? value[key] : undefined), claims);
}

function textsOf(value: unknown): readonly string[] {
  const values: readonly unknown[] = Array.isArray(value) ? value : [value];
  return values.slice(0, VALUES_MAX).flatMap((item) => {
    if (typeof item === 'string') return [item];
    return typeof item === 'number' || typeof item === 'boolean' ? [String(item)] : [];
  });
}

function isName(text: string): boolean {
  return text.trim() !== '' && text.length <= SUBJECT_CHARACTERS_MAX && !/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u.test(text);
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function unique(values: readonly string[]): readonly string[] {
  return [...new Set(values)];
}
