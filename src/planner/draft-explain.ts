/** `EXPLAIN POLICY` as a finished result. */
import { tableToIPC } from 'apache-arrow';
import { fail } from '../errors.ts';
import type { Principal, Snapshot } from '../model.ts';
import { inlineFingerprint } from '../wire/index.ts';
import { bindStatement } from './bind.ts';
import { auditOf, contextOf, type Draft, type DraftOptions, type DraftRequest } from './draft.ts';
import { explainTable } from './explain.ts';

export async function draftExplain(
  request: DraftRequest,
  explain: { readonly user: string | null; readonly query: string },
  options: DraftOptions,
): Promise<Draft> {
  const { policy, rights, statement } = request;
  const { snapshot } = policy;
  const audits = rights.may('audit');
  if (explain.user !== null && !audits) fail('policy.denied', 'EXPLAIN POLICY AS USER needs the audit right');
  const subject = explain.user === null ? rights : await policy.forPrincipal(principalOf(explain.user, snapshot));
  const context = contextOf(snapshot, request.options.schema, options);
  const bound = await bindStatement(explain.query, subject, context, audits);
  const table = explainTable(bound, snapshot, subject, audits ? 'auditor' : 'self');
  return {
    schema: table.schema,
    task: { kind: 'inline', ipc: tableToIPC(table, 'stream') },
    audit: auditOf(statement, snapshot, inlineFingerprint(rights.fingerprint([]), snapshot.contentHash), bound.entries),
  };
}

function principalOf(name: string, snapshot: Snapshot): Principal {
  const user = snapshot.users.find((candidate) => candidate.name === name);
  if (user === undefined) fail('request.malformed', 'EXPLAIN POLICY AS USER: there is no such user');
  return { subject: user.name, groups: user.groups, attributes: user.attributes };
}
