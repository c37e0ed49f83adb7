/** Patterns over paths as DuckDB reads them: `*`, `?` and `[…]` within a segment, `**` over any number of them. */

export interface Glob {
  /** What every match begins with. */
  readonly prefix: string;
  /** Null when the pattern is a plain path. Takes at most the product of the lengths: whoever names objects can not stall it. */
  readonly matches: ((path: string) => boolean) | null;
  /** No match lies below a `/` after the prefix. */
  readonly flat: boolean;
}

type Fits<T> = (item: T) => boolean;
/** null = any number of items. */
type Step<T> = Fits<T> | null;

export function readGlob(pattern: string): Glob {
  const at = pattern.search(/[*?[]/);
  if (at < 0) return { prefix: pattern, matches: null, flat: true };
  const fixed = pattern.slice(0, pattern.lastIndexOf('/', at) + 1);
  const parts = pattern.slice(fixed.length).split('/');
  const steps = parts.map((part) => (part === '**' ? null : segmentMatcher(part)));
  // Files are meant, of which there is at least one below.
  if (parts.at(-1) === '**') steps.push(() => true);
  const showsHidden = parts.some((part) => /^[_.]/.test(part));
  return {
    prefix: pattern.slice(0, at),
    flat: parts.length === 1 && parts[0] !== '**',
    matches: (path) => {
      if (!path.startsWith(fixed)) return false;
      const segments = path.slice(fixed.length).split('/');
      return !segments.some(isStep) && (showsHidden || !segments.some(isHidden)) && walk(steps, segments);
    },
  };
}

/** Goes back to the last step for any number only: what came before it fits already. */
function walk<T>(steps: readonly Step<T>[], items: readonly T[]): boolean {
  let step = 0;
  let resume = -1;
  let skipped = 0;
  for (let item = 0; item < items.length; ) {
    const fits = steps[step];
    if (fits === null) {
      resume = ++step;
      skipped = item;
    } else if (fits?.(items[item] as T) === true) {
      step++;
      item++;
    } else if (resume >= 0) {
      step = resume;
      item = ++skipped;
    } else return false;
  }
  return steps.slice(step).every((left) => left === null);
}

/** The name of an object may hold such, and what asks for it over HTTP would walk up out of its place. */
function isStep(segment: string): boolean {
  return segment === '.' || segment === '..';
}

/** What writers keep beside the data (`_temporary`, `_delta_log`, `.crc`); a hive partition may begin with `_` all the same. */
function isHidden(segment: string): boolean {
  return segment.startsWith('.') || (segment.startsWith('_') && !segment.includes('='));
}

function segmentMatcher(pattern: string): Fits<string> {
  const parts = pattern.match(/\*+|\?|\[!?\]?[^\]]*\]|./gsu) ?? [];
  const steps = parts.map((part): Step<string> => {
    if (part.startsWith('*')) return null;
    if (part === '?') return () => true;
    return part.length > 2 && part.startsWith('[') ? setMatcher(part.slice(1, -1)) : (character) => character === part;
  });
  return (segment) => walk(steps, [...segment]);
}

function setMatcher(text: string): Fits<string> {
  const negative = text.startsWith('!');
  const ranges = (negative ? text.slice(1) : text).match(/.-.|./gsu) ?? [];
  const holds = (character: string): boolean =>
    ranges.some((range) => {
      const [first = '', dash, last] = range;
      return dash === undefined ? character === first : character >= first && character <= (last ?? first);
    });
  return (character) => holds(character) !== negative;
}
