/** Drafts of statements with parameters: before their types are known, before their values are, and with both. */
import { fail, SluiceError } from '../errors.ts';
import { checkText, findParameters } from '../sql/index.ts';
import { boundTexts, typedTexts } from './bound-texts.ts';
import type { Draft, DraftOptions, DraftRequest } from './draft.ts';
import { draftStatement } from './draft-statement.ts';
import { parameterTypes } from './parameters.ts';

/** A statement as it is. Rejects with sql.parameter when it has parameters. */
export async function draftPlain(request: DraftRequest, options: DraftOptions): Promise<Draft> {
  checkText(request.statement, options.limits);
  const { length } = findParameters(request.statement).names;
  if (length > 0) fail('sql.parameter', `the statement has ${length} parameters: prepare it and bind a value to each`);
  return draftStatement(request, [request.statement], options);
}

/** For what the statement gives: its draft is not to be run. */
export async function draftUntyped(
  request: DraftRequest,
  options: DraftOptions,
): Promise<{ readonly draft: Draft; readonly types: readonly string[] }> {
  checkText(request.statement, options.limits);
  const parameters = findParameters(request.statement);
  const types = parameters.names.length === 0 ? [] : await parameterTypes(request, parameters, options);
  return { draft: await draftTyped(request, types, options), types };
}

/** As draftUntyped, for types that are known. NULLs stand in for values, or plain values where a function refuses a NULL. */
export async function draftTyped(request: DraftRequest, types: readonly string[], options: DraftOptions): Promise<Draft> {
  if (types.length === 0) return draftPlain(request, options);
  const [nulls, samples] = typedTexts(findParameters(request.statement), types);
  try {
    return await draftStatement(request, [nulls], options);
  } catch (error) {
    if (!(error instanceof SluiceError) || !(error.code === 'sql.binding' || error.code === 'sql.refused')) throw error;
    return await draftStatement(request, [samples], options).catch(() => {
      throw error;
    });
  }
}

/** With bound values, one execution per row. */
export async function draftBound(request: DraftRequest, types: readonly string[], rows: Uint8Array, options: DraftOptions): Promise<Draft> {
  return draftStatement(request, await boundTexts(findParameters(request.statement), types, rows, options), options);
}
