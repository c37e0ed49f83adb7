/** The planner's instance: parses, binds against empty tables, lists functions. No file, no extension, nothing to set. */
import { fail, SluiceError } from '../errors.ts';
import { PLAIN_FORM, type PlanCatalog, type WireForm } from '../model.ts';
import { toSchema, toSchemaHeader } from './arrow-schema.ts';
import { bodyCodec } from './compression.ts';
import { bindError, ownStatementError } from './failures.ts';
import { type Host, openHost, useCatalog } from './host.ts';
import { JobError } from './jobs.ts';
import type { Analyzer, Description, FunctionInfo, ParameterInfo } from './types.ts';

const CATALOGS = 256;
const THREADS = 2;
/** No honest statement takes this long to bind; some small ones would take for ever. */
const DEADLINE_MS = 10_000;
const SETUP: readonly string[] = ['SET threads = 1', "SET memory_limit = '512MB'", "SET temp_directory = ''"];
const FUNCTIONS = `SELECT function_name, function_type, to_json(parameter_types), return_type, stability FROM duckdb_functions()`;

export async function createAnalyzer(deadlineMs: number = DEADLINE_MS): Promise<Analyzer> {
  const host = await openHost({ setup: SETUP, threads: THREADS, catalogLimit: CATALOGS, deadlineMs });
  return {
    parse: (sql) => parse(host, sql),
    describe: (catalog, sql, form = PLAIN_FORM) => describe(host, catalog, sql, form),
    boundPlan: (catalog, sql) => boundPlan(host, catalog, sql),
    parameters: (catalog, sql) => parameters(host, catalog, sql),
    evaluate: (expressions) => evaluate(host, expressions),
    functions: () => listFunctions(host),
    [Symbol.asyncDispose]: () => host[Symbol.asyncDispose](),
  };
}

async function parse(host: Host, sql: string): Promise<unknown> {
  const rows = await host.query([], 'SELECT json_serialize_sql(?::VARCHAR)', [sql]).catch((error: unknown) => {
    throw bindError(error, []);
  });
  const tree = readTree(rows[0]?.[0] ?? '');
  return isErrorTree(tree) ? refuse(tree) : tree;
}

function readTree(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    // The serialiser writes infinities and NaN bare, which JSON has no form for.
    return fail('sql.refused', 'the statement has a number that is not finite', error);
  }
}

interface ErrorTree {
  readonly error: true;
  readonly error_type?: string;
  readonly error_message?: string;
}

function isErrorTree(tree: unknown): tree is ErrorTree {
  return typeof tree === 'object' && tree !== null && 'error' in tree && tree.error === true;
}

function refuse(tree: ErrorTree): never {
  const message = tree.error_message ?? '';
  if (tree.error_type === 'parser') fail('sql.syntax', message.split('\n', 1)[0] ?? 'syntax error');
  if (/^only select/i.test(message)) fail('sql.refused', 'only SELECT statements are allowed');
  fail('sql.refused', 'the statement is of a kind that is not allowed', message);
}

async function describe(host: Host, catalog: PlanCatalog, sql: string, form: WireForm): Promise<Description> {
  bodyCodec(form.compression);
  const held = await host.catalogs.hold(catalog).catch((error: unknown) => {
    throw ownStatementError(error);
  });
  try {
    const { columns, parameterCount } = await host.run<'describe'>((connection) => ({
      kind: 'describe',
      connection,
      setup: [useCatalog(catalog)],
      sql,
      form,
    }));
    const schema = toSchema(columns);
    return {
      schema,
      schemaHeader: toSchemaHeader(schema),
      columns: columns.map(({ name, type }) => ({ name, type })),
      parameterCount,
    };
  } catch (error) {
    throw bindError(error, [catalog.name]);
  } finally {
    held.release();
  }
}

/** A statement that does not bind is described elsewhere; here it only has no plan. */
async function boundPlan(host: Host, catalog: PlanCatalog, sql: string): Promise<unknown> {
  const held = await host.catalogs.hold(catalog).catch((error: unknown) => {
    throw ownStatementError(error);
  });
  try {
    const rows = await host.query([useCatalog(catalog)], 'SELECT json_serialize_plan(?::VARCHAR, optimize := false)', [sql]);
    return JSON.parse(rows[0]?.[0] ?? 'null');
  } catch (error) {
    if (error instanceof JobError && error.failure.kind === 'deadline') throw bindError(error, []);
    return null;
  } finally {
    held.release();
  }
}

async function parameters(host: Host, catalog: PlanCatalog, sql: string): Promise<readonly ParameterInfo[]> {
  const held = await host.catalogs.hold(catalog).catch((error: unknown) => {
    throw ownStatementError(error);
  });
  try {
    return await host.run<'parameters'>((connection) => ({ kind: 'parameters', connection, setup: [useCatalog(catalog)], sql }));
  } catch (error) {
    throw bindError(error, [catalog.name]);
  } finally {
    held.release();
  }
}

async function evaluate(host: Host, expressions: readonly string[]): Promise<readonly (string | null)[]> {
  const rows = await host.query([], `SELECT ${expressions.join(', ')}`).catch((error: unknown) => {
    throw bindError(error, []);
  });
  return rows[0] ?? [];
}

async function listFunctions(host: Host): Promise<readonly FunctionInfo[]> {
  try {
    const rows = await host.query([], FUNCTIONS);
    return rows.map(([name, type, parameters, returnType, stability]) => ({
      name: name ?? '',
      type: type ?? '',
      parameterTypes: readNames(parameters ?? null),
      returnType: returnType ?? null,
      stability: stability ?? null,
    }));
  } catch (error) {
    throw error instanceof SluiceError ? error : ownStatementError(error);
  }
}

/** Macros have untyped parameters. */
function readNames(json: string | null): string[] {
  const names: unknown = JSON.parse(json ?? '[]');
  return Array.isArray(names) ? names.map((name) => (typeof name === 'string' ? name : 'ANY')) : [];
}
