/** policy.csv: Casbin's `p, role, object, action, effect, id[, cluster]` and `g, member, role` lines; `#` starts a comment line. */
import type { Grant } from '../model.ts';
import { wordFault } from './identifiers.ts';
import type { Position, Problems } from './problems.ts';

export interface PolicyDraft {
  readonly grants: readonly Grant[];
  readonly memberships: readonly (readonly [string, string])[];
  /** By grant id, and by `<member> <role>`. */
  readonly positions: ReadonlyMap<string, Position>;
}

export const POLICY_FILE = 'policy.csv';

export function readPolicy(text: string, problems: Problems): PolicyDraft {
  const grants: Grant[] = [];
  const memberships: (readonly [string, string])[] = [];
  const positions = new Map<string, Position>();
  for (const [i, line] of text.split(/\r?\n/).entries()) {
    if (line.trim() === '' || line.trimStart().startsWith('#')) continue;
    const position: Position = { file: POLICY_FILE, line: i + 1 };
    const fields = line.split(',').map((field) => field.trim());
    const fault =
      lineFault(fields) ??
      (fields[0] === 'g' ? readMembership(fields, memberships, positions, position) : readGrant(fields, grants, positions, position));
    if (fault !== null) problems.add(position, fault);
  }
  return { grants, memberships, positions };
}

function lineFault(fields: readonly string[]): string | null {
  const [kind] = fields;
  if (kind !== 'p' && kind !== 'g') return 'a line begins with p or g; comments begin with #';
  const [least, most] = kind === 'p' ? [6, 7] : [3, 3];
  if (fields.length < least || fields.length > most || fields.includes(''))
    return `write ${kind === 'p' ? 'p, role, object, action, effect, id, or the same and a cluster' : 'g, member, role'}`;
  return fields.some((field) => /["\p{Cc}]/u.test(field)) ? 'quotes and control characters are not allowed' : null;
}

function readGrant(fields: readonly string[], grants: Grant[], positions: Map<string, Position>, position: Position): string | null {
  const [, role = '', object = '', action = '', effect = '', id = '', cluster] = fields;
  const fault = wordFault(id) ?? (cluster === undefined ? null : clusterFault(cluster));
  if (fault !== null) return fault;
  if (effect !== 'allow' && effect !== 'deny') return `the effect is allow or deny, not ${effect}`;
  const twin = positions.get(id);
  if (twin !== undefined) return `grant ${id} is there twice, first in line ${twin.line}`;
  positions.set(id, position);
  grants.push({ id, role, object, action, effect, ...(cluster === undefined ? {} : { cluster }) });
  return null;
}

/** Names of clusters are lower-case letters, digits and -. */
function clusterFault(pattern: string): string | null {
  return /^[a-z0-9*-]{1,63}$/.test(pattern)
    ? null
    : `${JSON.stringify(pattern)} is no name of clusters; use lower-case letters, digits, - and * for any characters`;
}

function readMembership(
  fields: readonly string[],
  memberships: (readonly [string, string])[],
  positions: Map<string, Position>,
  position: Position,
): string | null {
  const [, member = '', role = ''] = fields;
  const key = `${member} ${role}`;
  if (positions.has(key)) return `${member} is a member of ${role} twice`;
  positions.set(key, position);
  memberships.push([member, role]);
  return null;
}
