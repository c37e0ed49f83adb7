/** Bounds on a statement, checked on the text before any parser sees it. */
import { fail } from '../errors.ts';
import { endOfComment, endOfDollar } from './scan.ts';

export interface SqlLimits {
  /** UTF-8 bytes of the statement. */
  readonly textBytes: number;
  /** Nesting of brackets in the text and of nodes in the AST. */
  readonly depth: number;
  /** AND, OR and set operations: the parser's time grows with their square. */
  readonly connectives: number;
  /** AST nodes. */
  readonly nodes: number;
  /** Estimated bytes of one value made by repeat, lpad, range, list_resize and their like. */
  readonly growthBytes: number;
  /** Estimated bytes of any one computed value. */
  readonly valueBytes: number;
  /** Rows of range and generate_series in FROM. */
  readonly rangeRows: number;
}

export const DEFAULT_SQL_LIMITS: SqlLimits = {
  textBytes: 256 * 1024,
  depth: 120,
  connectives: 4_000,
  nodes: 60_000,
  growthBytes: 64 * 1024,
  valueBytes: 128 * 1024,
  rangeRows: 100_000_000,
};

/** Throws sql.empty, sql.limit or sql.refused (control characters). */
export function checkText(sql: string, limits: SqlLimits): void {
  if (Buffer.byteLength(sql, 'utf8') > limits.textBytes) fail('sql.limit', `the statement is longer than ${limits.textBytes} bytes`);
  if (hasLoneSurrogate(sql)) fail('sql.refused', 'the statement is not valid Unicode text');
  if (hasControl(sql)) fail('sql.refused', 'the statement holds control characters');
  checkTokens(sql, limits);
}

/** Half of a surrogate pair: not text in any encoding. */
export function hasLoneSurrogate(value: string): boolean {
  return /\p{Surrogate}/u.test(value);
}

/** C0 control characters and DEL; tab, line feed and carriage return are blanks. */
export function hasControl(value: string, allowBlank = true): boolean {
  for (let i = 0; i < value.length; i++) {
    const code = value.charCodeAt(i);
    if (code === 0x7f) return true;
    if (code < 0x20 && !(allowBlank && (code === 9 || code === 10 || code === 13))) return true;
  }
  return false;
}

/** Strings, quoted names, dollar quotes and comments are skipped as DuckDB reads them; an unclosed one ends the scan. */
const TOKEN =
  /'(?:[^']|'')*(?:'|$)|"(?:[^"]|"")*(?:"|$)|\$([A-Za-z_\u0080-\uffff][\w\u0080-\uffff]*)?\$|--[^\r\n]*|\/\*|[([{]|[)\]}]|\b(?:and|or|union|intersect|except)\b|[^\s;]/giu;

function checkTokens(sql: string, limits: SqlLimits): void {
  let depth = 0;
  let connectives = 0;
  let empty = true;
  for (const token of tokens(sql)) {
    empty = false;
    if (token.length === 1) depth = Math.max(0, depth + nesting(token));
    else if (/^[a-z]+$/i.test(token)) connectives++;
    if (depth > limits.depth) fail('sql.limit', `the statement is nested deeper than ${limits.depth}`);
    if (connectives > limits.connectives) fail('sql.limit', `the statement has more than ${limits.connectives} AND, OR and set operations`);
  }
  if (empty) fail('sql.empty', 'the statement is empty');
}

function nesting(token: string): number {
  if ('([{'.includes(token)) return 1;
  return ')]}'.includes(token) ? -1 : 0;
}

/** Brackets, connectives, quoted texts, and single characters of all else; comments and blanks are left out. */
function* tokens(sql: string): Generator<string> {
  const scan = new RegExp(TOKEN);
  for (let match = scan.exec(sql); match !== null; match = scan.exec(sql)) {
    const token = match[0];
    if (token === '/*') scan.lastIndex = endOfComment(sql, scan.lastIndex);
    else if (!token.startsWith('--')) yield token;
    if (token.length > 1 && token.startsWith('$')) scan.lastIndex = endOfDollar(sql, scan.lastIndex, token);
  }
}
