/** Bound parameter rows → the statement's texts, one per row, with typed constants in the parameters' places. */
import { tableFromIPC } from 'apache-arrow';
import { fail, SluiceError } from '../errors.ts';
import { type Literal, literalOf, type Parameters, sampleOf, UnreadableValue, withLiterals } from '../sql/index.ts';
import { readValue, type ValueBudget } from './arrow-value.ts';
import type { DraftOptions } from './draft.ts';

/** Values of one bind, nested ones too. */
const VALUES_MAX = 200_000;
/** Characters of all texts together: they travel in the ticket. */
const TEXTS_MAX = 2 * 1024 ** 2;
/** Conditions that are asked in one query. */
const ASKED_AT_ONCE = 200;

/** The statement with NULLs of the right types, to learn its result; then with plain values, for functions that refuse a NULL. */
export function typedTexts(parameters: Parameters, types: readonly string[]): readonly [nulls: string, samples: string] {
  return [
    withLiterals(parameters, (i) => `CAST(NULL AS ${types[i] ?? 'VARCHAR'})`),
    withLiterals(parameters, (i) => sampleOf(types[i] ?? 'VARCHAR')),
  ];
}

/** `rows`: the Arrow IPC stream in a handle. Rejects with sql.parameter, sql.limit. */
export async function boundTexts(
  parameters: Parameters,
  types: readonly string[],
  rows: Uint8Array,
  { analyzer }: Pick<DraftOptions, 'analyzer'>,
): Promise<readonly string[]> {
  const literals = readRows(rows, types);
  const conditions = literals.flatMap((row) =>
    row.flatMap(({ keeps }, parameter) => (keeps === null ? [] : [{ condition: keeps, parameter }])),
  );
  for (let at = 0; at < conditions.length; at += ASKED_AT_ONCE) await checkKept(conditions.slice(at, at + ASKED_AT_ONCE), types, analyzer);
  let size = 0;
  return literals.map((row) => {
    const text = withLiterals(parameters, (i) => row[i]?.text ?? 'NULL');
    size += text.length;
    if (size > TEXTS_MAX)
      fail('sql.limit', `the statement with its parameters is longer than ${TEXTS_MAX} characters; bind fewer rows at a time`);
    return text;
  });
}

interface Condition {
  readonly condition: string;
  /** From 0. */
  readonly parameter: number;
}

async function checkKept(conditions: readonly Condition[], types: readonly string[], analyzer: DraftOptions['analyzer']): Promise<void> {
  const answers = await ask(conditions, analyzer);
  const failed = conditions.find((_, i) => answers[i] !== 'true');
  if (failed === undefined) return;
  const type = types[failed.parameter] ?? '';
  fail(
    'sql.parameter',
    `parameter ${failed.parameter + 1} does not fit its type ${type}; bind a value of that type, or write CAST(? AS …)`,
  );
}

/** Casts that do not exist fail the whole query, so then each is asked alone. */
async function ask(conditions: readonly Condition[], analyzer: DraftOptions['analyzer']): Promise<readonly (string | null)[]> {
  try {
    return await analyzer.evaluate(conditions.map(({ condition }) => condition));
  } catch (error) {
    if (!(error instanceof SluiceError) || !error.code.startsWith('sql.')) throw error;
    if (conditions.length === 1) return [null];
    const half = Math.ceil(conditions.length / 2);
    return [...(await ask(conditions.slice(0, half), analyzer)), ...(await ask(conditions.slice(half), analyzer))];
  }
}

function readRows(ipc: Uint8Array, types: readonly string[]): readonly (readonly Literal[])[] {
  const budget: ValueBudget = { values: VALUES_MAX, bytes: TEXTS_MAX };
  const read: (readonly Literal[])[] = [];
  // A copy starts at an aligned address, which the reader of unions needs.
  for (const { data, numRows } of tableFromIPC(new Uint8Array(ipc)).batches) {
    for (let row = 0; row < numRows; row++)
      read.push(types.map((type, i) => readOne(() => literalOf(readValue(column(data.children[i]), row, budget), type), i)));
  }
  return read;
}

function column<T>(data: T | undefined): T {
  return data ?? fail('sql.parameter', 'a parameter has no value');
}

/** The value itself is nobody's business. */
function readOne(read: () => Literal, parameter: number): Literal {
  try {
    return read();
  } catch (error) {
    if (error instanceof SluiceError) throw error;
    const reason = error instanceof UnreadableValue ? error.message : 'its value can not be read';
    return fail('sql.parameter', `parameter ${parameter + 1}: ${reason}`, error);
  }
}
