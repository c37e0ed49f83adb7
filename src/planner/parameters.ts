/** Types of a statement's parameters, found before any value is known. */
import { DataType, Field, Schema, TimeMillisecond, Timestamp, TimeUnit } from 'apache-arrow';
import { fail, SluiceError } from '../errors.ts';
import type { PlanCatalog } from '../model.ts';
import {
  checkText,
  findParameters,
  type Parameters,
  parsedParameters,
  qualify,
  sameExceptParameters,
  sampleOf,
  withLiterals,
  withMarkers,
  withNulls,
} from '../sql/index.ts';
import { bindStatement } from './bind.ts';
import { contextOf, type DraftOptions, type DraftRequest } from './draft.ts';
import { ownTable, targetColumns } from './draft-command.ts';
import { catalogOf } from './draft-query.ts';
import { statementOf } from './draft-statement.ts';
import type { Statement } from './statement.ts';

/** Where nothing tells. */
const UNKNOWN = 'VARCHAR';
/** What an unknown parameter is tried as, in this order, where a text does not bind. */
const CANDIDATES: readonly string[] = ['VARCHAR', 'DOUBLE', 'BIGINT', 'TIMESTAMP', 'BOOLEAN', 'INTERVAL'];
/** Parameters whose types are searched for one by one. */
const SEARCHED_MAX = 24;
/** Types that no cast may name, or that have no Arrow form of their own. */
const NO_PARAMETER = /UNKNOWN|"NULL"|ANY|ENUM\(|UNION\(|VARIANT|GEOMETRY/;

/** DuckDB type text, one per parameter. Rejects with sql.*, dataset.unknown, policy.*. */
export async function parameterTypes(request: DraftRequest, parameters: Parameters, options: DraftOptions): Promise<readonly string[]> {
  const statement = statementOf(request.statement, request);
  const marked = statementOf(withMarkers(parameters), request).query;
  const nulls = statementOf(withNulls(parameters), request).query;
  if (statement.query === null || marked === null || nulls === null) return fail('sql.refused', 'this statement takes no parameters');
  const context = contextOf(request, options);
  checkText(statement.query, context.limits);
  const ast = await options.analyzer.parse(statement.query);
  const markedAst = await options.analyzer.parse(marked);
  checkPlaces(ast, markedAst, parameters);
  // Another principal's view of the statement is not searched for types.
  if (statement.kind === 'explain' && statement.user !== null) return parameters.names.map(() => UNKNOWN);
  const bound = await bindStatement(nulls, request.rights, context);
  const empty = catalogOf('empty', bound, bound.entries, context);
  const names = { catalogName: request.policy.snapshot.catalogName, planCatalog: empty.name };
  const governed = qualify(marked, bound.gated, names);
  const found = await new TypeSearch(parameters, governed, empty, options).types();
  return withTargets(found, markedAst, statement, request);
}

/** What the scan took for parameters is what the parser takes for them. */
function checkPlaces(ast: unknown, markedAst: unknown, parameters: Parameters): void {
  const parsed = parsedParameters(markedAst);
  const all = parameters.names.every((_, i) => parsed.has(String(i + 1))) && parsed.size === parameters.names.length;
  if (!all || !sameExceptParameters(ast, markedAst)) fail('sql.refused', 'a parameter can not stand at this place of the statement');
}

/** Over the plan's empty catalog: all at once, then the rest one by one, since DuckDB gives up at the first that it can not type. */
class TypeSearch {
  readonly #governed: string;
  readonly #catalog: PlanCatalog;
  readonly #options: DraftOptions;
  readonly #types: (string | null)[];

  constructor(parameters: Parameters, governed: string, catalog: PlanCatalog, options: DraftOptions) {
    this.#governed = governed;
    this.#catalog = catalog;
    this.#options = options;
    this.#types = parameters.names.map(() => null);
  }

  async types(): Promise<readonly string[]> {
    for (const { name, type } of await this.#ask(this.#governed)) this.#note(Number(name) - 1, type);
    const open = this.#types.flatMap((type, i) => (type === null ? [i] : []));
    for (const parameter of open.slice(0, SEARCHED_MAX)) {
      const [alone] = await this.#ask(this.#without(parameter, '$1'));
      this.#note(parameter, alone?.type ?? 'UNKNOWN');
      this.#types[parameter] ??= await this.#tried(parameter);
    }
    return this.#types.map((type) => type ?? UNKNOWN);
  }

  #note(parameter: number, type: string): void {
    if (parameter in this.#types && !NO_PARAMETER.test(type)) this.#types[parameter] = type;
    else if (type.startsWith('ENUM(')) this.#types[parameter] = 'VARCHAR';
  }

  /** A statement that does not bind says so when its result is described. */
  async #ask(text: string): Promise<readonly { readonly name: string; readonly type: string }[]> {
    try {
      return await this.#options.analyzer.parameters(this.#catalog, text);
    } catch (error) {
      if (error instanceof SluiceError && error.code.startsWith('sql.')) return [];
      throw error;
    }
  }

  async #tried(parameter: number): Promise<string> {
    for (const candidate of CANDIDATES)
      if ((await this.#binds(parameter, `CAST(NULL AS ${candidate})`)) || (await this.#binds(parameter, sampleOf(candidate))))
        return candidate;
    return UNKNOWN;
  }

  async #binds(parameter: number, constant: string): Promise<boolean> {
    try {
      await this.#options.analyzer.describe(this.#catalog, this.#without(parameter, constant));
      return true;
    } catch (error) {
      if (error instanceof SluiceError && error.code.startsWith('sql.')) return false;
      throw error;
    }
  }

  /** The text with only this parameter open. */
  #without(parameter: number, text: string): string {
    const others = (i: number): string => (this.#types[i] === null ? 'NULL' : `CAST(NULL AS ${this.#types[i]})`);
    return withLiterals(findParameters(this.#governed), (i) => (i === parameter ? text : others(i)));
  }
}

/** A value that an INSERT gives straight to a column has that column's type. */
function withTargets(types: readonly string[], ast: unknown, statement: Statement, request: DraftRequest): readonly string[] {
  if (statement.kind !== 'command' || statement.command.kind !== 'insert') return types;
  const target = ownTable(statement.command.table, request);
  if (target === null) return types;
  const columns = targetColumns(statement.command, target);
  const given = [...types];
  for (const { parameter, column } of directParameters(ast)) {
    const type = columns[column]?.type;
    if (type !== undefined && parameter in given && !NO_PARAMETER.test(type)) given[parameter] = type;
  }
  return given;
}

/** Parameters that are a result column by themselves, in a SELECT list or in VALUES. */
function directParameters(ast: unknown): readonly { readonly parameter: number; readonly column: number }[] {
  type Tree = { readonly [key: string]: Tree } | undefined;
  const root = (ast as Tree)?.['statements']?.[0]?.['node'];
  const values: unknown = root?.['from_table']?.['values'];
  const rows: readonly unknown[] = Array.isArray(values) ? values : [root?.['select_list']];
  return rows.flatMap((row) =>
    (Array.isArray(row) ? row : []).flatMap((item: Readonly<Record<string, unknown>>, column) =>
      item['class'] === 'PARAMETER' ? [{ parameter: Number(item['identifier']) - 1, column }] : [],
    ),
  );
}

/** One nullable field per parameter, named like it. Points in time are in milliseconds: JDBC's driver writes those whatever the unit says. */
export async function parameterSchema(names: readonly string[], types: readonly string[], { analyzer }: DraftOptions): Promise<Schema> {
  if (types.length === 0) return new Schema([]);
  const catalog: PlanCatalog = { name: 'p_parameters', defaultSchema: 'main', statements: [] };
  const { schema } = await analyzer.describe(catalog, `SELECT ${types.map((type) => `CAST(NULL AS ${type})`).join(', ')}`);
  return new Schema(schema.fields.map((field, i) => new Field(names[i] ?? '', inMilliseconds(field.type), true)));
}

function inMilliseconds(type: DataType): DataType {
  if (DataType.isTime(type)) return new TimeMillisecond();
  return DataType.isTimestamp(type) ? new Timestamp(TimeUnit.MILLISECOND, type.timezone) : type;
}
