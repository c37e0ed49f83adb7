/**
 * The only file that knows Casbin. It loads the policy lines, expands a principal's roles and permissions once, and says
 * by which chains of roles each grant is reached. The model is fixed: one that differs is refused, not half obeyed.
 */
import { DefaultRoleManager, type Enforcer, newEnforcer, newModelFromString } from 'casbin';
import { fail } from '../errors.ts';
import type { Grant, Principal, Snapshot } from '../model.ts';

export type { Enforcer };

/** Used when the policy directory brings no model.conf. */
const MODEL = `[request_definition]
r = sub, obj, act
[policy_definition]
p = sub, obj, act, eft, id
[role_definition]
g = _, _
[policy_effect]
e = some(where (p.eft == allow)) && !some(where (p.eft == deny))
[matchers]
m = g(r.sub, p.sub) && objectMatch(r.obj, p.obj) && r.act == p.act
`;

/** Longer than any chain the checks let through; Casbin's own default is 10. */
const HIERARCHY_MAX = 1000;
/** Different chains of rule-bearing roles per principal; beyond it nothing is granted. */
const CHAINS_MAX = 10_000;

/** A grant and one way the principal came to it. */
export interface Route {
  readonly grant: Grant;
  /** Roles on the way from the principal to the grant, both ends included; only those that some rule or `unmask` names. */
  readonly via: ReadonlySet<string>;
}

/** What one principal holds. */
export interface Holdings {
  /** All roles, inherited ones too, sorted. */
  readonly roles: readonly string[];
  readonly routes: readonly Route[];
  readonly denials: readonly Grant[];
}

/** Casbin's model text means what this folder enforces. */
export function isSupportedModel(text: string): boolean {
  return text.trim() === '' || normalizeModel(text) === normalizeModel(MODEL);
}

/** Rejects with policy.invalid when the lines do not load as a whole. */
export async function createEnforcer(snapshot: Snapshot): Promise<Enforcer> {
  if (!isSupportedModel(snapshot.model)) fail('policy.invalid', 'the Casbin model is not the one that Sluice enforces');
  const enforcer = await newEnforcer(newModelFromString(snapshot.model.trim() === '' ? MODEL : snapshot.model));
  enforcer.setRoleManager(new DefaultRoleManager(HIERARCHY_MAX));
  const lines = snapshot.grants.map((grant) => [grant.role, grant.object, grant.action, grant.effect, grant.id]);
  // Casbin drops the whole list when one line repeats, and says so only by returning false.
  const links = [...new Map(snapshot.memberships.map((link) => [JSON.stringify(link), [...link]])).values()];
  if (new Set(snapshot.grants.map((grant) => grant.id)).size < snapshot.grants.length)
    fail('policy.invalid', 'the policy lines do not load', 'two grants have the same id');
  const loaded =
    (lines.length === 0 || (await enforcer.addPolicies(lines))) && (links.length === 0 || (await enforcer.addGroupingPolicies(links)));
  if (!loaded) fail('policy.invalid', 'the policy lines do not load', 'Casbin refused them');
  return enforcer;
}

/** Casbin expands; `named` are the roles that make one chain differ from another. */
export async function expandPrincipal(enforcer: Enforcer, principal: Principal, named: ReadonlySet<string>): Promise<Holdings> {
  const subjects = [`user:${principal.subject}`, ...principal.groups.map((group) => `group:${group}`)];
  const grants = new Map<string, Grant>();
  const roles = new Set<string>();
  for (const subject of subjects) {
    for (const role of await enforcer.getImplicitRolesForUser(subject)) roles.add(role);
    for (const line of await enforcer.getImplicitPermissionsForUser(subject)) {
      const grant = readLine(line);
      grants.set(grant.id, grant);
    }
  }
  const chains = await findChains(enforcer, subjects, named);
  const held = [...grants.values()];
  const allowed = held.filter((grant) => grant.effect === 'allow');
  return {
    roles: [...roles].filter((role) => !isMember(role)).sort(),
    routes: allowed.flatMap((grant) => (chains.get(grant.role) ?? []).map((via) => ({ grant, via }))),
    denials: held.filter((grant) => grant.effect !== 'allow'),
  };
}

/** `user:` and `group:` names are members, not roles. */
export function isMember(name: string): boolean {
  return name.startsWith('user:') || name.startsWith('group:');
}

/** Role → the different sets of named roles walked on the way to it. */
async function findChains(
  enforcer: Enforcer,
  subjects: readonly string[],
  named: ReadonlySet<string>,
): Promise<Map<string, ReadonlySet<string>[]>> {
  const chains = new Map<string, ReadonlySet<string>[]>();
  const seen = new Set<string>();
  const queue: { role: string; via: ReadonlySet<string> }[] = subjects.map((role) => ({ role, via: new Set() }));
  for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
    const via = named.has(next.role) ? new Set([...next.via, next.role]) : next.via;
    const state = JSON.stringify([next.role, ...[...via].sort()]);
    if (seen.has(state)) continue;
    seen.add(state);
    if (seen.size > CHAINS_MAX) return new Map();
    chains.set(next.role, [...(chains.get(next.role) ?? []), via]);
    for (const role of await enforcer.getRolesForUser(next.role)) queue.push({ role, via });
  }
  return chains;
}

function readLine(line: readonly string[]): Grant {
  const [role = '', object = '', action = '', effect = '', id = ''] = line;
  return { id, role, object, action, effect: effect === 'allow' ? 'allow' : 'deny' };
}

/** Without comments, blank lines and spacing. */
function normalizeModel(text: string): string {
  const lines = text.split(/\r?\n/).map((line) => line.replace(/#.*$/, '').replace(/\s+/g, ''));
  return lines.filter((line) => line !== '').join('\n');
}
