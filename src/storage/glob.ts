/** Patterns over paths as DuckDB reads them: `*`, `?` and `[…]` within a segment, `**` over any number of them. */

export interface Glob {
  /** What every match begins with. */
  readonly prefix: string;
  /** Null when the pattern is a plain path. */
  readonly matches: ((path: string) => boolean) | null;
  /** No match lies below a `/` after the prefix. */
  readonly flat: boolean;
}

export function readGlob(pattern: string): Glob {
  const at = pattern.search(/[*?[]/);
  if (at < 0) return { prefix: pattern, matches: null, flat: true };
  const fixed = pattern.lastIndexOf('/', at) + 1;
  const rest = pattern.slice(fixed);
  const regex = new RegExp(`^${segmentsRegex(rest.split('/'))}$`, 'su');
  const showsHidden = rest.split('/').some((segment) => /^[_.]/.test(segment));
  return {
    prefix: pattern.slice(0, at),
    flat: !rest.includes('/') && rest !== '**',
    matches: (path) => {
      const below = path.slice(fixed);
      return regex.test(below) && (showsHidden || !below.split('/').some(isHidden));
    },
  };
}

/** What writers keep beside the data (`_temporary`, `_delta_log`, `.crc`); a hive partition may begin with `_` all the same. */
function isHidden(segment: string): boolean {
  return segment.startsWith('.') || (segment.startsWith('_') && !segment.includes('='));
}

function segmentsRegex(segments: readonly string[]): string {
  const last = segments.length - 1;
  return segments
    .map((segment, index) => {
      if (segment !== '**') return segmentRegex(segment) + (index < last ? '/' : '');
      if (index === last) return '(?:[^/]+/)*[^/]+';
      return segments[index + 1] === '**' ? '' : '(?:[^/]+/)*';
    })
    .join('');
}

function segmentRegex(segment: string): string {
  return segment.replace(/\*+|\?|\[(!?)(\]?[^\]]*)\]|[^*?[]+|\[/gu, (part, not: string | undefined, set: string | undefined) => {
    if (part.startsWith('*')) return '[^/]*';
    if (part === '?') return '[^/]';
    if (set !== undefined && set !== '') return `(?!/)[${not === '!' ? '^' : ''}${setRegex(set)}]`;
    return escapeRegex(part);
  });
}

/** Everything but a range's dash stands for itself. */
function setRegex(set: string): string {
  const [first = '', ...rest] = set;
  return (
    escapeSet(first) + rest.map((character, index) => (character === '-' && index < rest.length - 1 ? '-' : escapeSet(character))).join('')
  );
}

function escapeSet(text: string): string {
  return text.replace(/[\\\]^-]/gu, '\\$&');
}

function escapeRegex(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/gu, '\\$&');
}
