/** ListFlights: the datasets that the caller may read, each named by its path. */

import { fail } from '../errors.ts';
import type { VisibleTable } from '../planner/index.ts';
import { decodeCriteria, encapsulatedSchema, encodeFlightInfo, encodePathDescriptor } from '../wire/index.ts';
import { matches } from './metadata.ts';
import type { Rpc } from './rpc.ts';
import type { Services } from './types.ts';

/** Longer than any two names. */
const PATTERN_CHARACTERS_MAX = 1024;

/** The expression is a pattern for `schema.table` with `%` and `_`; none asks for all. An endpoint comes with GetFlightInfo. */
export async function listFlights(services: Services, rpc: Rpc): Promise<void> {
  const pattern = Buffer.from(decodeCriteria(await rpc.request())).toString('utf8');
  if (pattern.length > PATTERN_CHARACTERS_MAX) fail('request.malformed', 'the criteria are longer than any name');
  const { catalogName, tables } = await services.planner.visibleCatalog(rpc.principal);
  for (const table of tables) {
    if (pattern === '' || matches(pattern, `${table.schema}.${table.name}`)) await rpc.send(flightOf(catalogName, table));
  }
}

function flightOf(catalogName: string, { schema, name, arrow }: VisibleTable): Uint8Array {
  const descriptor = encodePathDescriptor([catalogName, schema, name]);
  return encodeFlightInfo({ descriptor, schema: encapsulatedSchema(arrow), endpoints: [], ordered: false });
}
