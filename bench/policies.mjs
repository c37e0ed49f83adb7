/** The policy set of the governed scan, and what a person would write by hand for the same rows and cells. */
import { hkdfSync } from 'node:crypto';
import { writePolicySet } from '../test/support/policy-set.mjs';

/** Fixed, so that the SQL by hand knows the token key. */
export const CLUSTER_KEY = Buffer.alloc(32, 7).toString('base64');
const TOKEN_KEY = Buffer.from(hkdfSync('sha256', Buffer.from(CLUSTER_KEY, 'base64'), '', 'sluice token', 32)).toString('hex');

export const BENCH_USERS = {
  everything: { user: 'everything', password: 'everything-demo' },
  governed: { user: 'governed', password: 'governed-demo' },
};

/** `connection` as in catalog.yaml; `parquet` is lineitem's path within it. */
export function writeBenchPolicies(directory, connection, parquet) {
  writePolicySet(directory, {
    catalog: {
      catalog: 'bench',
      defaultSchema: 'tpch',
      connections: { files: connection },
      datasets: { 'tpch.lineitem': { parquet } },
    },
    users: { everything: { roles: ['steward'] }, governed: { roles: ['analyst'], attributes: { flags: ['A', 'N'] } } },
    grants: [
      ['steward', 'tpch.*', 'select'],
      ['analyst', 'tpch.*', 'select'],
    ],
    rowFilters: [{ id: 'own-flags', roles: ['analyst'], filter: 'l_returnflag IN (principal.flags)' }],
    masks: [
      { id: 'price', roles: ['analyst'], columns: ['l_extendedprice'], mask: { round: 100 } },
      { id: 'comment', roles: ['analyst'], columns: ['l_comment'], mask: { first: 8 } },
      { id: 'shipped', roles: ['analyst'], columns: ['l_shipdate'], mask: { date: 'month' } },
      { id: 'instruction', roles: ['analyst'], columns: ['l_shipinstruct'], mask: 'token' },
    ],
  });
}

/** In the shortest words that give the same answer. */
export const GOVERNED_BY_HAND = `
SELECT * REPLACE (
  (l_extendedprice - l_extendedprice % 100)::DECIMAL(15,2) AS l_extendedprice,
  left(l_comment, 8) || '****' AS l_comment,
  date_trunc('month', l_shipdate)::DATE AS l_shipdate,
  'tok_' || left(sha256('${TOKEN_KEY}' || sha256('${TOKEN_KEY}' || l_shipinstruct)), 24) AS l_shipinstruct)
FROM lineitem
WHERE l_returnflag IN ('A', 'N')`;
