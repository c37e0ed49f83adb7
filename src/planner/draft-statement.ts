/** Any statement → a draft. */
import { fail } from '../errors.ts';
import { asQuery, isWithoutEffect } from './client-statements.ts';
import { type Draft, type DraftOptions, type DraftRequest, defaultSchemaOf, type Query } from './draft.ts';
import { draftCommand } from './draft-command.ts';
import { draftExplain } from './draft-explain.ts';
import { draftQuery } from './draft-query.ts';
import { readStatement, type Statement, sameButQuery } from './statement.ts';

export function statementOf(sql: string, { policy: { snapshot }, options }: DraftRequest): Statement {
  if (isWithoutEffect(sql)) return { kind: 'command', command: { kind: 'none' }, query: null };
  return readStatement(asQuery(sql) ?? sql, snapshot, defaultSchemaOf(snapshot, options.schema));
}

/** `texts`: the statement with constants in place of its parameters, one per execution; without parameters the statement itself. */
export async function draftStatement(request: DraftRequest, texts: readonly string[], options: DraftOptions): Promise<Draft> {
  const statement = statementOf(request.statement, request);
  const query = queryOf(statement, texts, request);
  if (statement.kind === 'command') return draftCommand(request, statement.command, query, options);
  if (query === null) return fail('sql.empty', 'the statement is empty');
  if (statement.kind === 'query') return draftQuery(request, query, options);
  if (query.texts.length > 1) fail('sql.parameter', 'this statement runs once: bind one row of parameters');
  return draftExplain(request, { user: statement.user, query }, options);
}

/** Parameters stand in the query part only: the rest must read the same in every text. */
function queryOf(statement: Statement, texts: readonly string[], request: DraftRequest): Query | null {
  const bound = texts.map((text) => {
    const read = statementOf(text, request);
    if (!sameButQuery(statement, read)) fail('sql.refused', 'a parameter can not stand at this place of the statement');
    return read.query;
  });
  const [first, ...more] = bound.filter((query) => query !== null);
  return statement.query === null || first === undefined ? null : { template: statement.query, texts: [first, ...more] };
}
