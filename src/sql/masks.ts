/** Masks as SQL expressions: same type, NULL stays NULL, no input makes them fail. */
import { fail } from '../errors.ts';
import type { Mask } from '../model.ts';
import { type Family, familyOf, integerBits } from './column-type.ts';
import { numberLiteral, stringLiteral, typeText } from './quote.ts';

const MAX_KEPT = 64;
const STARS = '****';

/** Whether the mask can be applied to a column of this DuckDB type. */
export function supportsMask(mask: Mask, type: string): boolean {
  const family = familyOf(type);
  switch (mask.kind) {
    case 'null':
      return true;
    case 'constant':
      return fitsConstant(mask.value, family, type);
    case 'redact':
      return family !== 'other';
    case 'first':
    case 'last':
      return family === 'text' && Number.isInteger(mask.count) && mask.count >= 0 && mask.count <= MAX_KEPT;
    case 'email':
      return family === 'text';
    case 'hash':
    case 'token':
      return family === 'text' || family === 'integer';
    case 'date':
      return family === 'date' || family === 'timestamp';
    case 'round':
      return fitsStep(mask.step, family, type);
  }
}

function fitsConstant(value: string | number | boolean, family: Family, type: string): boolean {
  if (typeof value === 'boolean') return family === 'boolean';
  if (typeof value === 'string') return family === 'text' ? !value.includes('\0') : isDateText(value, family);
  if (family === 'integer')
    return Number.isSafeInteger(value) && Math.abs(value) < 2 ** Math.min(53, integerBits(type)) && (value >= 0 || !/^U/i.test(type));
  if (family === 'decimal') return Number.isFinite(value) && Math.abs(value) < 10 ** wholeDigits(type);
  return family === 'float' && Number.isFinite(value);
}

function isDateText(value: string, family: Family): boolean {
  return (family === 'date' || family === 'timestamp') && /^\d{4}-\d{2}-\d{2}$/.test(value) && !Number.isNaN(Date.parse(value));
}

function wholeDigits(type: string): number {
  const [width, scale] = (type.match(/\d+/g) ?? []).map(Number);
  return (width ?? 0) - (scale ?? 0);
}

function fitsStep(step: number, family: Family, type: string): boolean {
  if (!(step > 0) || !Number.isFinite(step)) return false;
  if (family === 'integer') return Number.isSafeInteger(step) && step < 2 ** Math.min(53, integerBits(type));
  if (family === 'decimal')
    return step < 10 ** Math.min(15, wholeDigits(type)) && Number.isInteger((Math.round(step * 1e6) / 1e6) * 10 ** decimalScale(type));
  return family === 'float';
}

function decimalScale(type: string): number {
  return Number((type.match(/\d+/g) ?? [])[1] ?? 0);
}

/** SQL for the masked value of `raw`, a qualified column reference. Throws policy.invalid for a mask that does not fit the type. */
export function maskExpression(mask: Mask, raw: string, type: string): string {
  if (!supportsMask(mask, type)) fail('policy.invalid', `mask ${mask.kind} does not fit the type of its column`);
  const target = typeText(type);
  if (mask.kind === 'null') return `CAST(NULL AS ${target})`;
  return `CASE WHEN ${raw} IS NULL THEN CAST(NULL AS ${target}) ELSE TRY_CAST(${visible(mask, raw, type)} AS ${target}) END`;
}

/** The masked value of a value that is not NULL. */
function visible(mask: Exclude<Mask, { kind: 'null' }>, raw: string, type: string): string {
  switch (mask.kind) {
    case 'constant':
      return constant(mask.value);
    case 'redact':
      return redacted(familyOf(type));
    case 'first':
      return `CASE WHEN length(${raw}) > ${mask.count} THEN left(${raw}, ${mask.count}) || '${STARS}' ELSE '${STARS}' END`;
    case 'last':
      return `CASE WHEN length(${raw}) > ${mask.count} THEN '${STARS}' || right(${raw}, ${mask.count}) ELSE '${STARS}' END`;
    case 'email':
      return `'***' || regexp_extract(${raw}, '@[^@]*$')`;
    case 'hash':
      return digest(`sha256(CAST(${raw} AS VARCHAR))`, type, '', 64);
    case 'token':
      return digest(keyed(`CAST(${raw} AS VARCHAR)`), type, 'tok_', 24);
    case 'date':
      // The inner TRY keeps date_trunc from being tried on the file's least and largest values at planning, where it may fail.
      return `TRY(date_trunc('${mask.unit}', TRY(${raw})))`;
    case 'round':
      return rounded(raw, mask.step, type);
  }
}

function constant(value: string | number | boolean): string {
  if (typeof value === 'string') return stringLiteral(value);
  return typeof value === 'number' ? numberLiteral(value) : String(value);
}

function redacted(family: Family): string {
  if (family === 'text') return `'${STARS}'`;
  if (family === 'date' || family === 'timestamp') return `DATE '1970-01-01'`;
  return family === 'boolean' ? 'false' : '0';
}

/** HMAC's nesting, so that a token can't be extended; no key, no token. */
function keyed(value: string): string {
  const key = `CAST(getvariable('sluice_token_key') AS VARCHAR)`;
  return `sha256(${key} || sha256(${key} || ${value}))`;
}

/** Hex digits for texts; for integers as many bits as stay positive in the type, 60 at most. */
function digest(hex: string, type: string, prefix: string, digits: number): string {
  if (familyOf(type) === 'text') return `'${prefix}' || left(${hex}, ${digits})`;
  const modulus = 2n ** BigInt(Math.min(60, integerBits(type)));
  return `CAST('0x' || left(${hex}, 15) AS UBIGINT) % ${modulus}`;
}

/** Down to a multiple of the step; a value too near the type's end gives NULL. */
function rounded(raw: string, step: number, type: string): string {
  if (familyOf(type) === 'float') return `floor(${raw} / ${numberLiteral(step)}) * ${numberLiteral(step)}`;
  const exact = `CAST(${decimalText(step)} AS ${typeText(type)})`;
  const wide = familyOf(type) === 'decimal' ? raw : `CAST(${raw} AS ${/^U/i.test(type) ? 'UHUGEINT' : 'HUGEINT'})`;
  const below = /^U/i.test(type) ? '' : ` - CASE WHEN ${wide} % ${exact} < 0 THEN ${exact} ELSE 0 END`;
  return `TRY(${wide} - ${wide} % ${exact}${below})`;
}

function decimalText(step: number): string {
  return `'${Number.isInteger(step) ? BigInt(step).toString() : step.toFixed(6).replace(/0+$/, '')}'`;
}
