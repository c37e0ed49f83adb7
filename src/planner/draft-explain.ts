/** `EXPLAIN POLICY` as a finished result. */
import { tableToIPC } from 'apache-arrow';
import { fail, toSluiceError } from '../errors.ts';
import type { Principal, Snapshot } from '../model.ts';
import { inlineFingerprint } from '../wire/index.ts';
import { type Bound, bindStatement } from './bind.ts';
import { auditOf, contextOf, type Draft, type DraftOptions, type DraftRequest, type Query } from './draft.ts';
import { conditionsOf, templateCheck } from './draft-query.ts';
import { explainTable } from './explain.ts';
import { type ReadEntry, withFiles, withoutFiles } from './files.ts';
import { type Split, splitStatement } from './split.ts';

export async function draftExplain(
  request: DraftRequest,
  explain: { readonly user: string | null; readonly query: Query },
  options: DraftOptions,
): Promise<Draft> {
  const { policy, rights, statement } = request;
  const { snapshot } = policy;
  const audits = rights.may('audit');
  if (explain.user !== null && !audits) fail('policy.denied', 'EXPLAIN POLICY AS USER needs the audit right');
  const principal = explain.user === null ? request.principal : principalOf(explain.user, snapshot);
  const subject = await policy.forPrincipal(principal);
  const context = contextOf({ ...request, principal }, options);
  const same = await templateCheck(explain.query, context);
  const bound = same(await bindStatement(explain.query.texts[0], subject, context, audits));
  const { entries, split } = await explainFiles(bound, snapshot, request.options.endpointsMax, options);
  const table = explainTable({ ...bound, entries }, snapshot, subject, audits ? 'auditor' : 'self', split);
  return {
    schema: table.schema,
    task: { kind: 'inline', ipc: tableToIPC(table, 'stream') },
    audit: auditOf(statement, snapshot, inlineFingerprint(rights.fingerprint([]), snapshot.contentHash), bound.entries),
  };
}

interface Explained {
  readonly entries: readonly ReadEntry[];
  readonly split: Split;
}

/** Storage out of reach is part of the explanation. */
async function explainFiles(bound: Bound, { connections }: Snapshot, endpointsMax: number, options: DraftOptions): Promise<Explained> {
  const splitOf = (entries: readonly ReadEntry[]): Explained => ({
    entries,
    split: splitStatement({ ...bound, entries }, endpointsMax, options.split),
  });
  if (options.files === null) return splitOf(withoutFiles(bound.entries));
  try {
    return splitOf(await withFiles(bound.entries, conditionsOf([bound]), connections, options.files));
  } catch (error) {
    return { entries: bound.entries, split: { shares: null, reason: `not possible at present: ${toSluiceError(error).message}` } };
  }
}

function principalOf(name: string, snapshot: Snapshot): Principal {
  const user = snapshot.users.find((candidate) => candidate.name === name);
  if (user === undefined) fail('request.malformed', 'EXPLAIN POLICY AS USER: there is no such user');
  return { subject: user.name, groups: user.groups, attributes: user.attributes };
}
