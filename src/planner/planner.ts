/** SQL + principal → sealed tickets. Reads no data rows (invariant I4). */
import type { Policy } from '../policy/index.ts';
import { findParameters } from '../sql/index.ts';
import type { Draft, DraftOptions, DraftRequest } from './draft.ts';
import { draftBound, draftPlain, draftTyped, draftUntyped } from './draft-parameters.ts';
import type { SourceFiles } from './files.ts';
import { parameterSchema } from './parameters.ts';
import { createPreparedHandles, type PreparedOptions } from './prepared.ts';
import { createTickets, type TicketOptions } from './tickets.ts';
import type { Planner, PlanRequest } from './types.ts';
import { createVisibleCatalogs } from './visible.ts';

export interface PlannerOptions extends Omit<DraftOptions, 'visible' | 'files'>, TicketOptions, PreparedOptions {
  readonly files: SourceFiles;
  /** The policy in force now; its snapshot is the catalog in force. */
  readonly policy: () => Promise<Policy>;
  readonly now?: () => number;
}

export function createPlanner(given: PlannerOptions): Planner {
  const options = { ...given, visible: createVisibleCatalogs(given.analyzer) };
  // What is only asked for its schema lists no file.
  const shapes = { ...options, files: null };
  const now = options.now ?? Date.now;
  const tickets = createTickets(options, now);
  const handles = createPreparedHandles(options, now);
  const open = async ({ principal, sql, options: result }: PlanRequest): Promise<DraftRequest> => {
    const policy = await options.policy();
    return { principal, statement: sql, policy, rights: await policy.forPrincipal(principal), options: result };
  };
  return {
    plan: async (request) => tickets.issue(await draftPlain(await open(request), options), request.principal, request.options),
    prepare: async (request) => {
      const { draft, types } = await draftUntyped(await open(request), shapes);
      return {
        handle: handles.seal(request.sql, types, request.principal),
        schema: draft.schema,
        parameters: await parameterSchema(findParameters(request.sql).names, types, options),
        audit: draft.audit,
      };
    },
    planPrepared: async (handle, principal, result) => {
      const { sql, parameterTypes, rows } = handles.open(handle, principal);
      const request = await open({ principal, sql, options: result });
      const draft: Draft =
        rows.length === 0 ? await draftPlain(request, options) : await draftBound(request, parameterTypes, rows, options);
      return tickets.issue(draft, principal, result);
    },
    bindParameters: handles.bind,
    schemaOf: async (request) => (await draftUntyped(await open(request), shapes)).draft.schema,
    schemaOfPrepared: async (handle, principal, result) => {
      const { sql, parameterTypes } = handles.open(handle, principal);
      return (await draftTyped(await open({ principal, sql, options: result }), parameterTypes, shapes)).schema;
    },
    renew: tickets.renew,
    visibleCatalog: async (principal) => options.visible(await options.policy(), principal),
  };
}
