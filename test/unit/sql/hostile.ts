/** Values per type that functions take well and values that make some of them fail; policy shapes to hide the latter behind. */

const VALUES: Readonly<Record<string, readonly [benign: string, ...hostile: string[]]>> = {
  VARCHAR: ["'a1'", "''", "'('", "'\\'", "'{'", "'-1'", "'9999999999999999999'"],
  BIGINT: ['2', '-1', '0', '9223372036854775807', '(-9223372036854775807 - 1)'],
  DOUBLE: ['0.5', "'inf'", "'nan'", '-1e300', '1e300'],
  DATE: ["DATE '2020-02-02'", "DATE '5881580-07-10'", "DATE '-infinity'", "DATE '5877642-06-25 (BC)'", "DATE '9999-12-31'"],
  TIMESTAMP: [
    "TIMESTAMP '2020-02-02'",
    "TIMESTAMP '294247-01-10 04:00:54.775806'",
    "TIMESTAMP 'infinity'",
    "TIMESTAMP '290309-12-22 (BC) 00:00:00'",
    "TIMESTAMP '9999-12-31 23:59:59.999999'",
  ],
  'TIMESTAMP WITH TIME ZONE': [
    "TIMESTAMPTZ '2020-02-02 00:00:00+00'",
    "TIMESTAMPTZ 'infinity'",
    "TIMESTAMPTZ '294247-01-10 04:00:54.775806+00'",
  ],
  INTERVAL: ['INTERVAL 1 DAY', "INTERVAL '2147483647 months'", "INTERVAL '2147483647 days'"],
  TIME: ["TIME '01:00:00'", "TIME '24:00:00'"],
  BLOB: ["'ab'::BLOB", "'\\xFF\\x00'::BLOB", "''::BLOB"],
  BIT: ["'1'::BIT", "'0101'::BIT"],
  UUID: ["'a0000000-0000-4000-8000-000000000000'::UUID", "'ffffffff-ffff-ffff-ffff-ffffffffffff'::UUID"],
  BOOLEAN: ['true', 'false', 'NULL'],
  HUGEINT: ['3', '170141183460469231731687303715884105727'],
  'DECIMAL(38,2)': ['3', '999999999999999999999999999999999999.99'],
  'BIGINT[]': ['[1, 2]', '[NULL]', '[]', '[9223372036854775807]'],
  'VARCHAR[]': ["['a']", '[NULL]', '[]', "['(']"],
  'DOUBLE[]': ['[1.0, 2.0]', '[NULL]', '[]', '[1.0]'],
  'BOOLEAN[]': ['[true, false]', '[NULL]', '[]'],
  'STRUCT(a INTEGER)': ["{'a': 1}", "{'a': NULL}", 'NULL'],
  'MAP(VARCHAR, INTEGER)': ["MAP {'a': 1}", 'MAP {}', 'NULL'],
};

/** What a parameter that takes anything is tried with. */
const ANYTHING = ['VARCHAR', 'BIGINT', 'DOUBLE', 'DATE', 'TIMESTAMP', 'VARCHAR[]', 'BIGINT[]'];

interface SampleColumn {
  readonly name: string;
  readonly type: string;
  readonly benign: string;
  readonly hostile: string;
}

/** One column per type and hostile value. */
export function sampleColumns(): readonly SampleColumn[] {
  return Object.entries(VALUES).flatMap(([type, [benign, ...hostile]]) =>
    hostile.map((value, i) => ({ name: columnName(type, i), type, benign, hostile: value })),
  );
}

function columnName(type: string, index: number): string {
  return `${type.replace(/\W+/g, '_').toLowerCase()}_${index}`;
}

function sampleType(type: string): string {
  const upper = type.toUpperCase();
  if (/^(U?(TINYINT|SMALLINT|INTEGER|BIGINT)|UHUGEINT)$/.test(upper)) return 'BIGINT';
  if (upper === 'FLOAT') return 'DOUBLE';
  if (upper.startsWith('DECIMAL')) return 'DECIMAL(38,2)';
  if (/^TIMESTAMP_/.test(upper)) return 'TIMESTAMP';
  if (/^TIME( WITH TIME ZONE|_NS)?$/.test(upper)) return 'TIME';
  if (upper === 'JSON') return 'VARCHAR';
  if (/\[\d*\]$/.test(upper)) {
    const list = `${sampleType(upper.replace(/\[\d*\]$/, ''))}[]`;
    return list in VALUES ? list : 'VARCHAR[]';
  }
  if (upper.startsWith('STRUCT')) return 'STRUCT(a INTEGER)';
  return upper.startsWith('MAP') ? 'MAP(VARCHAR, INTEGER)' : upper;
}

export const HOSTILE = {
  /** Parameter types with every "any" replaced. */
  variants(types: readonly string[]): readonly (readonly string[])[] {
    const sampled = types.map(sampleType);
    const open = sampled.some((type) => !(type in VALUES));
    return (open ? ANYTHING : ['']).map((any) => sampled.map((type) => (type in VALUES ? type : any)));
  },

  /** Argument lists over the sample columns. */
  argumentLists(types: readonly string[]): readonly (readonly string[])[] {
    const count = (type: string): number => (VALUES[type]?.length ?? 1) - 1;
    const together = Array.from({ length: Math.max(0, ...types.map(count)) }, (_, k) =>
      types.map((type) => columnName(type, Math.min(k, count(type) - 1))),
    );
    const alone = types.flatMap((type, i) =>
      Array.from({ length: count(type) }, (_, k) =>
        types.map((other, j) => (i === j ? columnName(type, k) : (VALUES[other]?.[0] ?? 'NULL'))),
      ),
    );
    return [...together, ...alone];
  },
};

/** Conditions that keep region EU only, in the forms that DuckDB treats differently; `"__raw"` holds the row. */
export const POLICY_SHAPES: Readonly<Record<string, string>> = {
  equal: `"__raw".region = 'EU'`,
  list: `"__raw".region IN ('EU', 'XX')`,
  subquery: `"__raw".region IN (SELECT 'EU')`,
  lower: `lower("__raw".region) = 'eu'`,
  or: `"__raw".region = 'EU' OR "__raw".region = 'ZZ'`,
  hash: `sha256("__raw".region) = sha256('EU')`,
  pattern: `regexp_matches("__raw".region, '^E')`,
  exists: `EXISTS (SELECT 1 FROM (SELECT 'EU' AS r) e WHERE e.r = "__raw".region)`,
  scalar: `"__raw".region = (SELECT 'EU')`,
  like: `"__raw".region LIKE 'E%'`,
  not: `NOT ("__raw".region IN ('US', 'APAC'))`,
  variable: `"__raw".region = coalesce(getvariable('nothing'), 'EU')`,
};
