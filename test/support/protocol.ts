/**
 * Which client can do what, as the conformance tests show it. A test says so by its options: `test('dates', shows('ADBC', 'parameters'), …)`; the
 * whole run gives the matrix in docs/protocol.md (protocol-reporter.ts). What does not work stands in test/conformance/gaps.json: its tests must
 * fail, so a gap that is closed and still listed is an error, as is a feature that stops working.
 */
import { readFileSync } from 'node:fs';
import type { TestOptions } from 'vitest';

/** In the order of the matrix's columns. */
export const CLIENTS = {
  ADBC: 'ADBC Flight SQL driver 1.13.0 (Python)',
  JDBC: 'Flight SQL JDBC driver 18.3.0',
  'pyarrow.flight': 'pyarrow.flight 26.0.1',
  'flightsql-dbapi': 'flightsql-dbapi 0.2.2 with SQLAlchemy 1.4.54',
  SQLAlchemy: 'SQLAlchemy 2.0.58 with sqlalchemy-gizmosql-adbc-dialect 0.0.27',
  ibis: 'ibis 12.0.0 with ibis-gizmosql 1.0.4',
  pandas: 'pandas 3.1.1 over ADBC',
  polars: 'polars 2.1.0 over ADBC',
  DuckDB: 'DuckDB 1.5.5 (Python) reading from ADBC',
  Spark: 'Spark 4.1.1, JDBC source',
} as const;
export type Client = keyof typeof CLIENTS;

/** In the order of the matrix's rows. */
export const FEATURES = [
  'password',
  'bearer token',
  'personal access token',
  'client certificate',
  'TLS',
  'query',
  'prepared statement',
  'parameters',
  'rows of parameters',
  'schema without running',
  'several endpoints',
  'order of rows',
  'large result',
  'cancel',
  'polling',
  'renewal of endpoints',
  'session options',
  'catalogs and tables',
  'keys',
  'column metadata',
  'server information',
  'type information',
  'list of flights',
  'actions',
  'exchange',
  'compressed bodies',
  'string views and dictionaries',
  'bulk ingest',
  'CREATE TABLE AS, INSERT, DROP',
  'batched updates',
  'autocommit off',
  'pushed-down filters',
  'errors in words',
] as const;
export type Feature = (typeof FEATURES)[number];

export interface Claim {
  readonly client: Client;
  readonly feature: Feature;
  /** Names the gap of gaps.json that the test shows. */
  readonly gap?: string;
}

/** What a client can not do here; `of` says on which side the reason lies. */
export interface Gap extends Required<Claim> {
  readonly of: 'server' | 'client';
}

declare module 'vitest' {
  interface TaskMeta {
    protocol?: Claim;
  }
}

export const GAPS: readonly Gap[] = JSON.parse(
  readFileSync(new URL('../conformance/gaps.json', import.meta.url), 'utf8'),
) as readonly Gap[];

/** Options of a test that shows `feature`; for a describe they hold for all its tests. With `gap`, the test must fail while gaps.json lists it. */
export function shows(client: Client, feature: Feature, gap?: string): TestOptions {
  const listed = GAPS.some((known) => known.client === client && known.feature === feature && known.gap === gap);
  const protocol: Claim = listed && gap !== undefined ? { client, feature, gap } : { client, feature };
  return { meta: { protocol }, fails: listed };
}

/** The part of docs/protocol.md between the markers; `claims` are those of the tests that ran, all of them as they should. */
export function renderMatrix(claims: readonly Claim[]): string {
  const clients = Object.keys(CLIENTS) as Client[];
  const row = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  const lines = [
    row(['', ...clients]),
    row(['---', ...clients.map(() => ':-:')]),
    ...FEATURES.map((feature) => row([feature, ...clients.map((client) => cell(claims, client, feature))])),
    '',
    ...clients.map((client) => `- **${client}**: ${CLIENTS[client]}`),
    '',
    '### Known gaps',
    '',
    ...GAPS.map(({ client, feature, gap, of }, index) => `${index + 1}. ${client}, ${feature}: ${gap} (${of}).`),
  ];
  return lines.join('\n');
}

function cell(claims: readonly Claim[], client: Client, feature: Feature): string {
  const own = claims.filter((claim) => claim.client === client && claim.feature === feature);
  const notes = GAPS.flatMap((gap, index) => (gap.client === client && gap.feature === feature ? [`[${index + 1}]`] : []));
  const works = own.some(({ gap }) => gap === undefined);
  return [works ? '✓' : '', ...notes].filter((part) => part !== '').join(' ');
}

/** Gaps that no test showed: nobody would notice that they are closed. */
export function unshownGaps(claims: readonly Claim[]): readonly string[] {
  const shown = ({ client, feature, gap }: Gap): boolean =>
    claims.some((claim) => claim.client === client && claim.feature === feature && claim.gap === gap);
  return GAPS.filter((gap) => !shown(gap)).map(({ client, feature, gap }) => `${client}, ${feature}: ${gap}`);
}
