/** Cuts a statement into tokens as DuckDB's own scanner does, well enough to find places in it; a second parse judges what is done there. */

export type TokenKind = 'text' | 'quoted' | 'word' | 'number' | 'parameter' | 'symbol';

/** Places are UTF-16 indices. */
export interface Token {
  readonly kind: TokenKind;
  readonly text: string;
  readonly start: number;
  readonly end: number;
}

/** Beyond ASCII; what DuckDB takes for a blank is no part of a name. */
const BEYOND = String.raw`\u0080-\u009f\u00a1-\u1fff\u200c-\u202e\u2030-\u205e\u2061-\u2fff\u3001-\ufefe\uff00-\uffff`;

const PARTS = [
  String.raw`(?<text>[eE]'(?:[^'\\]|\\[\s\S]|'')*'|'(?:[^']|'')*')`,
  '(?<quoted>"(?:[^"]|"")*")',
  String.raw`(?<dollar>\$(?:[A-Za-z_${BEYOND}][\w${BEYOND}]*)?\$)`,
  String.raw`(?<comment>--[^\r\n]*|\/\*)`,
  String.raw`(?<word>[A-Za-z_${BEYOND}][\w$${BEYOND}]*)`,
  String.raw`(?<number>\d[\d_]*(?:\.\d+)?)`,
  String.raw`(?<parameter>\?\d*|\$(?:\d+|[A-Za-z_${BEYOND}][\w${BEYOND}]*|"(?:[^"]|"")+"))`,
  String.raw`(?<symbol>[^\s\u200b\u2060\ufeff])`,
];
const TOKEN = new RegExp(PARTS.join('|'), 'g');
const KINDS: readonly TokenKind[] = ['text', 'quoted', 'word', 'number', 'parameter', 'symbol'];

/** Comments and blanks are left out. An unclosed text, name or comment ends up as single symbols, or swallows the rest. */
export function* scan(sql: string): Generator<Token> {
  const pattern = new RegExp(TOKEN);
  for (let match = pattern.exec(sql); match !== null; match = pattern.exec(sql)) {
    const { groups = {}, index: start } = match;
    const [text] = match;
    if (groups['comment'] !== undefined) {
      if (text === '/*') pattern.lastIndex = endOfComment(sql, pattern.lastIndex);
      continue;
    }
    if (groups['dollar'] !== undefined) pattern.lastIndex = endOfDollar(sql, pattern.lastIndex, text);
    if (groups['text'] !== undefined && /^e/i.test(text)) pattern.lastIndex = endOfEscaped(sql, pattern.lastIndex);
    const kind = KINDS.find((name) => groups[name] !== undefined) ?? 'text';
    yield { kind, text: sql.slice(start, pattern.lastIndex), start, end: pattern.lastIndex };
  }
}

/** Behind the closing tag, which `from` lies before. */
export function endOfDollar(sql: string, from: number, tag: string): number {
  const end = sql.indexOf(tag, from);
  return end < 0 ? sql.length : end + tag.length;
}

/** Comments nest; `from` is behind the opening mark. */
export function endOfComment(sql: string, from: number): number {
  const marks = /\/\*|\*\//g;
  marks.lastIndex = from;
  let open = 1;
  for (let match = marks.exec(sql); match !== null; match = marks.exec(sql)) {
    open += match[0] === '/*' ? 1 : -1;
    if (open === 0) return marks.lastIndex;
  }
  return sql.length;
}

/** A text goes on behind a line break, under the rules of its beginning; `from` is behind its first closing mark. */
function endOfEscaped(sql: string, from: number): number {
  const more = /'(?:[^'\\]|\\[\s\S]|'')*'/y;
  for (let end = from; ; end = more.lastIndex) {
    more.lastIndex = startOfMore(sql, end);
    if (more.lastIndex === end || !more.test(sql)) return end;
  }
}

/** `from` itself without a line break; comments of one line may stand between. */
function startOfMore(sql: string, from: number): number {
  const gap = /[\s\u200b\u2060\ufeff]+|--[^\r\n]*/y;
  gap.lastIndex = from;
  let end = from;
  while (gap.test(sql)) end = gap.lastIndex;
  return /[\r\n]/.test(sql.slice(from, end)) ? end : from;
}
