/** Governed views of one policy shape, over all data and over data that never had the hidden rows, and the search for what tells them apart. */
import type { PlanEntry } from '#src/sql/index.js';
import { allow, type Demo, parquet } from './demo.ts';

export interface PolicyViews {
  readonly full: string;
  readonly allowed: string;
}

/** Two files of the same columns, `region` among them. */
export interface PolicyFiles {
  readonly full: string;
  readonly allowed: string;
  readonly columns: Readonly<Record<string, string>>;
}

/** Runs `body` with both views in place; `shape` is the filter, over `"__raw"`. */
export async function withPolicyViews<T>(
  demo: Demo,
  files: PolicyFiles,
  shape: string,
  barrier: boolean,
  body: (views: PolicyViews) => Promise<T>,
): Promise<T> {
  const entry = async (which: 'full' | 'allowed'): Promise<PlanEntry> => {
    const dataset = parquet(which, files[which], files.columns);
    return { dataset, decision: allow(dataset, await demo.predicate('region IS NOT NULL')), barrier };
  };
  const catalog = await demo.plan([await entry('full'), await entry('allowed')]);
  await demo.connection.run(`ATTACH ':memory:' AS "${catalog.name}"`);
  // Shapes richer than the filter language stand for filters that stewards' views bring.
  for (const statement of catalog.statements)
    await demo.connection.run(statement.replace('(NOT ("__raw"."region" IS NULL))', `(${shape})`));
  try {
    return await body({ full: `"${catalog.name}".demo."full"`, allowed: `"${catalog.name}".demo.allowed` });
  } finally {
    await demo.connection.run(`DETACH "${catalog.name}"`);
  }
}

/** A statement that uses several expressions at once over a view. */
export type Use = (expressions: readonly string[], view: string) => string;

/** Selected, as a condition, behind a condition. */
export const USES: readonly [Use, Use, Use] = [
  (list, view) => `SELECT ${list.map((call) => `count(${call})`).join(', ')} FROM ${view}`,
  (list, view) => `SELECT count(*) FROM ${view} WHERE ${list.map((call) => `hash(${call}) = 1`).join(' OR ')}`,
  (list, view) =>
    `SELECT count(*) FROM ${view} WHERE ${list.map((call) => `hash(CASE WHEN email = 'u1' THEN ${call} END) = 1`).join(' OR ')}`,
];

/** The statements that fail over all data but not over the allowed rows. */
export async function leaks(demo: Demo, list: readonly string[], views: PolicyViews, use: Use = USES[1]): Promise<readonly string[]> {
  if (list.length === 0 || (await demo.error(use(list, views.full))) === null) return [];
  if (list.length > 1) {
    const half = Math.ceil(list.length / 2);
    return [...(await leaks(demo, list.slice(0, half), views, use)), ...(await leaks(demo, list.slice(half), views, use))];
  }
  return (await demo.error(use(list, views.allowed))) === null ? [use(list, 'view')] : [];
}
