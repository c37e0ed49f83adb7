/** SQL + principal → sealed tickets. Reads no data rows (invariant I4). */
import { Schema } from 'apache-arrow';
import type { Principal } from '../model.ts';
import type { Policy } from '../policy/index.ts';
import type { Draft, DraftOptions, DraftRequest } from './draft.ts';
import { draftExplain } from './draft-explain.ts';
import { draftQuery } from './draft-query.ts';
import { parseExplain } from './explain.ts';
import { createPreparedHandles, type PreparedOptions } from './prepared.ts';
import { createTickets, type TicketOptions } from './tickets.ts';
import type { Planner, ResultOptions } from './types.ts';
import { createVisibleCatalogs } from './visible.ts';

export interface PlannerOptions extends DraftOptions, TicketOptions, PreparedOptions {
  /** The policy in force now; its snapshot is the catalog in force. */
  readonly policy: () => Promise<Policy>;
  readonly now?: () => number;
}

export function createPlanner(options: PlannerOptions): Planner {
  const now = options.now ?? Date.now;
  const tickets = createTickets(options, now);
  const handles = createPreparedHandles(options, now);
  const visibleCatalogOf = createVisibleCatalogs(options.analyzer);
  const draft = async (principal: Principal, sql: string, result: ResultOptions): Promise<Draft> => {
    const policy = await options.policy();
    const request = { principal, statement: sql, policy, rights: await policy.forPrincipal(principal), options: result };
    return draftStatement(request, sql, options);
  };
  const draftPrepared = (handle: Uint8Array, principal: Principal, result: ResultOptions): Promise<Draft> =>
    draft(principal, handles.open(handle, principal).sql, result);
  return {
    plan: async (request) => tickets.issue(await draft(request.principal, request.sql, request.options), request.principal),
    prepare: async (request) => {
      const { schema, audit } = await draft(request.principal, request.sql, request.options);
      return { handle: handles.seal(request.sql, [], request.principal), schema, parameters: new Schema([]), audit };
    },
    planPrepared: async (handle, principal, result) => tickets.issue(await draftPrepared(handle, principal, result), principal),
    bindParameters: handles.bind,
    schemaOf: async (request) => (await draft(request.principal, request.sql, request.options)).schema,
    schemaOfPrepared: async (handle, principal, result) => (await draftPrepared(handle, principal, result)).schema,
    renew: tickets.renew,
    visibleCatalog: async (principal) => visibleCatalogOf(await options.policy(), principal),
  };
}

function draftStatement(request: DraftRequest, sql: string, options: DraftOptions): Promise<Draft> {
  const explain = parseExplain(sql);
  return explain === null ? draftQuery(request, sql, options) : draftExplain(request, explain, options);
}
