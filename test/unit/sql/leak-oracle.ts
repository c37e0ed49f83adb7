/** Finds what an analyst of region EU must never read: raw values of masked columns, hidden rows, hidden names, paths and keys. */

const MARKERS: Readonly<Record<string, RegExp>> = {
  'social security number': /\b\d{3}-\d{2}-\d{4}\b/g,
  'telephone number': /\+\d{2} \d{3} \d{7}/g,
  'e-mail address': /[a-z][a-z.]*\d*@[a-z]/gi,
  'card number': /(?<![\d.])4\d{15}(?!\d)/g,
  'hidden region': /\b(?:US|APAC)\b/g,
  'date of birth': /\b19[4-9]\d-(?!01-01)\d{2}-\d{2}\b/g,
  'hidden column': /\bbalance\b/gi,
  path: /[\w-]+\.parquet|\/tmp\/|data_0|sluice-sql-/g,
  'key or policy': /secret-token-key|__source|sluice_token_key|getvariable/gi,
};

/** What a masked column shows: its hex digits may look like a number of anything. */
const TOKEN = /\btok_[0-9a-f]{24}\b/g;

/** What leaks in a text that answers the statement; what the statement itself says is no leak. */
export function leaksIn(text: string, sql: string): readonly string[] {
  return Object.entries(MARKERS).flatMap(([what, marker]) => {
    const found = [...text.replaceAll(TOKEN, 'token').matchAll(marker)]
      .map(([match]) => match)
      .find((match) => !sql.toLowerCase().includes(match.toLowerCase()));
    return found === undefined ? [] : [`${what}: ${found}`];
  });
}
