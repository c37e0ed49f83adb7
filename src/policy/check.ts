/**
 * Everything in a snapshot that does not resolve. What would leave data wider open than written rejects the set or
 * breaks the datasets concerned; what only grants less than meant is a warning.
 */
import type { Dataset, Grant, Mask, Snapshot } from '../model.ts';
import { foldName, OIDC_PREFIX } from '../names.ts';
import { isMember, isSupportedModel } from './casbin.ts';
import { checkFilterRule, checkMaskRule } from './check-rules.ts';
import { coversColumn, coversDataset, matchesPattern, type ObjectPattern, parseObject } from './names.ts';
import type { PolicyFinding, PolicySubject, Report } from './types.ts';

const ACTIONS: readonly string[] = ['select', 'unmask', 'describe', 'create', 'audit', 'operate'];

/** What the check needs besides the snapshot. */
export interface CheckOptions {
  readonly supportsMask: (mask: Mask, type: string) => boolean;
  /** Every declared tag. */
  readonly tags: ReadonlySet<string>;
}

export function checkPolicy(snapshot: Snapshot, options: CheckOptions): readonly PolicyFinding[] {
  const findings: PolicyFinding[] = [];
  const roles = knownRoles(snapshot);
  if (!isSupportedModel(snapshot.model))
    reporter(findings, { kind: 'model', id: '' })(
      'reject',
      'this is not the Casbin model that Sluice enforces; keep it as it is in policies/quickstart',
    );
  const peopled = new Set(snapshot.memberships.map(([, role]) => role));
  for (const grant of snapshot.grants)
    checkGrant(grant, snapshot, peopled, options.tags, reporter(findings, { kind: 'grant', id: grant.id }));
  checkMembers(snapshot, roles, findings);
  const context = { snapshot, roles, ...options };
  for (const rule of snapshot.rowFilters) checkFilterRule(rule, context, reporter(findings, { kind: 'filter', id: rule.id }));
  for (const rule of snapshot.masks) checkMaskRule(rule, context, reporter(findings, { kind: 'mask', id: rule.id }));
  return findings;
}

/** Roles that a grant or a membership makes. */
function knownRoles(snapshot: Snapshot): ReadonlySet<string> {
  return new Set([...snapshot.grants.map((grant) => grant.role), ...snapshot.memberships.map(([, role]) => role)]);
}

function checkGrant(grant: Grant, snapshot: Snapshot, peopled: ReadonlySet<string>, tags: ReadonlySet<string>, report: Report): void {
  if (isMember(grant.role)) report('reject', `grants go to roles; make ${grant.role} a member of one with a g line`);
  else if (!peopled.has(grant.role)) report('warn', `role ${grant.role} has no member`);
  const pattern = parseObject(grant.object);
  const fault = grantFault(grant, pattern);
  if (fault !== null) report('reject', fault);
  else if (pattern !== null && grant.action === 'create') checkCreate(pattern, snapshot.scratchSchema, report);
  else if (pattern !== null) checkObject(grant, pattern, snapshot, tags, report);
}

function grantFault(grant: Grant, pattern: ObjectPattern | null): string | null {
  if (!ACTIONS.includes(grant.action)) return `unknown action ${grant.action}; use ${ACTIONS.join(', ')}`;
  if (pattern === null) return `${grant.object} is no object; use schema.name, schema.name.column, tag:x, column-tag:x or *`;
  if ((grant.action === 'audit' || grant.action === 'operate') && pattern.kind !== 'all')
    return `${grant.action} is a right on the server; its object is *`;
  const column = pattern.kind === 'column' || pattern.kind === 'columnTag';
  if (grant.action === 'create' && pattern.kind !== 'dataset') return 'create is a right on names in the scratch schema, such as scratch.*';
  return grant.action === 'describe' && column ? 'describe is a right on datasets, not on columns' : null;
}

function checkCreate(pattern: ObjectPattern, scratchSchema: string | null, report: Report): void {
  if (scratchSchema === null) report('warn', 'there is no scratch schema; add scratch: { schema: … } to catalog.yaml');
  else if (pattern.kind === 'dataset' && !matchesPattern(scratchSchema, pattern.schema))
    report('reject', `create is a right on names in the scratch schema, such as ${scratchSchema}.*`);
}

function checkObject(grant: Grant, pattern: ObjectPattern, snapshot: Snapshot, tags: ReadonlySet<string>, report: Report): void {
  if (pattern.kind === 'all') return;
  if (pattern.kind === 'tag' || pattern.kind === 'columnTag') {
    if (!tags.has(pattern.tag)) report('reject', `tag ${pattern.tag} is not declared in catalog.yaml`);
    return;
  }
  // What will be in the scratch schema is not known here; only denials mean something there.
  if (grant.effect === 'deny' && snapshot.scratchSchema !== null && foldName(pattern.schema) === foldName(snapshot.scratchSchema)) return;
  const named = snapshot.datasets.filter((dataset) =>
    coversDataset({ kind: 'dataset', schema: pattern.schema, name: pattern.name }, dataset),
  );
  const exact = !`${pattern.schema}${pattern.name}`.includes('*');
  if (named.length === 0)
    report(exact || grant.effect === 'deny' ? 'reject' : 'warn', `no dataset is called ${pattern.schema}.${pattern.name}`);
  else if (pattern.kind === 'column') checkColumnObject(grant, pattern, named, report);
}

/** A denial that meets no column would leave one open that the steward meant to close. */
function checkColumnObject(
  grant: Grant,
  pattern: Extract<ObjectPattern, { kind: 'column' }>,
  named: readonly Dataset[],
  report: Report,
): void {
  const readable = named.filter((dataset) => dataset.broken === undefined);
  if (readable.length === 0 || readable.some((dataset) => dataset.columns.some((column) => coversColumn(pattern, dataset, column)))) return;
  const message = `no column of ${pattern.schema}.${pattern.name} is called ${pattern.column}`;
  const concerned = readable.map((dataset) => dataset.id);
  if (grant.effect === 'deny') report('break', message, concerned);
  else report('warn', message);
}

interface Members {
  readonly users: ReadonlySet<string>;
  readonly groups: ReadonlySet<string>;
  readonly roles: ReadonlySet<string>;
}

/** Whom an OpenID provider knows, nobody here knows. */
function checkMember(member: string, { users, groups, roles }: Members, report: ReturnType<typeof reporter>): void {
  if (member.startsWith(`user:${OIDC_PREFIX}`) || member.startsWith(`group:${OIDC_PREFIX}`)) return;
  if (member.startsWith('user:') && !users.has(member)) report('reject', `there is no user ${member.slice(5)} in users.yaml`);
  else if (member.startsWith('group:') && !groups.has(member)) report('warn', `no user of users.yaml is in group ${member.slice(6)}`);
  else if (!isMember(member) && !roles.has(member))
    report('reject', `there is no role ${member}; write user:${member} or group:${member} for a person or a group`);
}

function checkMembers(snapshot: Snapshot, roles: ReadonlySet<string>, findings: PolicyFinding[]): void {
  const users = new Set(snapshot.users.map((user) => `user:${user.name}`));
  const groups = new Set(snapshot.users.flatMap((user) => user.groups.map((group) => `group:${group}`)));
  const granted = new Set([...snapshot.grants.map((grant) => grant.role), ...snapshot.memberships.map(([member]) => member)]);
  for (const [member, role] of snapshot.memberships) {
    const report = reporter(findings, { kind: 'member', id: `${member} ${role}` });
    if (isMember(role)) report('reject', `${role} is not a role; write g, member, role`);
    else if (!granted.has(role)) report('warn', `role ${role} has no grant`);
    checkMember(member, { users, groups, roles }, report);
  }
  for (const role of cyclicRoles(snapshot.memberships))
    reporter(findings, { kind: 'member', id: role.join(' ') })('reject', `role ${role[1]} inherits itself`);
}

/** The membership lines that close a circle. */
function cyclicRoles(links: Snapshot['memberships']): readonly (readonly [string, string])[] {
  const next = new Map<string, string[]>();
  for (const [member, role] of links) next.set(member, [...(next.get(member) ?? []), role]);
  const reaches = (from: string, to: string): boolean => {
    const seen = new Set<string>();
    const queue = [from];
    for (let role = queue.pop(); role !== undefined; role = queue.pop()) {
      if (role === to) return true;
      if (seen.has(role)) continue;
      seen.add(role);
      queue.push(...(next.get(role) ?? []));
    }
    return false;
  };
  return links.filter(([member, role]) => !isMember(member) && reaches(role, member));
}

/** A reporter for one subject. */
function reporter(findings: PolicyFinding[], about: PolicySubject): Report {
  return (effect, message, datasets = []) => {
    findings.push({ about, message, effect, datasets });
  };
}
