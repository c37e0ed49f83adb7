/** Cuts a statement into tokens as DuckDB's own scanner does, well enough to find places in it; a second parse judges what is done there. */

export type TokenKind = 'text' | 'quoted' | 'word' | 'number' | 'parameter' | 'symbol';

/** Places are UTF-16 indices. */
export interface Token {
  readonly kind: TokenKind;
  readonly text: string;
  readonly start: number;
  readonly end: number;
}

const PARTS = [
  String.raw`(?<text>[eE]'(?:[^'\\]|\\[\s\S]|'')*'|'(?:[^']|'')*')`,
  '(?<quoted>"(?:[^"]|"")*")',
  String.raw`(?<dollar>\$(?:[A-Za-z_\u0080-\uffff][\w\u0080-\uffff]*)?\$)`,
  String.raw`(?<comment>--[^\r\n]*|\/\*)`,
  String.raw`(?<word>[A-Za-z_\u0080-\uffff][\w$\u0080-\uffff]*)`,
  String.raw`(?<number>\d[\d_]*(?:\.\d+)?)`,
  String.raw`(?<parameter>\?\d*|\$(?:\d+|[A-Za-z_\u0080-\uffff][\w\u0080-\uffff]*|"(?:[^"]|"")+"))`,
  String.raw`(?<symbol>[^\s\u00a0\u200b\ufeff])`,
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
