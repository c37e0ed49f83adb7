/** Reads the text format of Prometheus, strictly: every sample belongs to a family with HELP and TYPE, and no sample comes twice. */

export interface Scrape {
  /** undefined when there is no such sample. */
  value(name: string, labels?: Readonly<Record<string, string>>): number | undefined;
  /** The sum over all label values. */
  sum(name: string): number;
  readonly labels: ReadonlyMap<string, ReadonlySet<string>>;
}

const SAMPLE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (-?[\d.e+-]+|NaN|[+-]Inf)$/;
const LABEL = /([a-zA-Z_]\w*)="((?:[^"\\\n]|\\[\\"n])*)"(?:,|$)/y;

/** What a server in this process tells now. */
export async function scrape({ server }: { readonly server: { readonly httpPort: number | null } }): Promise<Scrape> {
  return parseMetrics(await (await fetch(`http://127.0.0.1:${server.httpPort}/metrics`)).text());
}

/** Throws on anything that the format does not allow. */
export function parseMetrics(text: string): Scrape {
  const samples = new Map<string, { readonly name: string; readonly value: number }>();
  const families = new Map<string, Set<string>>();
  const labelValues = new Map<string, Set<string>>();
  for (const line of text.split('\n')) {
    if (line === '') continue;
    if (line.startsWith('#')) readComment(line, families);
    else readSample(line, samples, families, labelValues);
  }
  return {
    value: (name, labels = {}) => samples.get(keyOf(name, labels))?.value,
    sum: (name) => [...samples.values()].filter((sample) => sample.name === name).reduce((sum, { value }) => sum + value, 0),
    labels: labelValues,
  };
}

function readComment(line: string, families: Map<string, Set<string>>): void {
  const [, kind, name] = /^# (HELP|TYPE) ([a-zA-Z_:][\w:]*) \S/.exec(line) ?? [];
  if (kind === undefined || name === undefined) throw new Error(`not a comment of the format: ${line}`);
  const known = families.get(name) ?? new Set();
  if (known.has(kind)) throw new Error(`said twice: ${line}`);
  families.set(name, known.add(kind));
}

function readSample(
  line: string,
  samples: Map<string, { readonly name: string; readonly value: number }>,
  families: ReadonlyMap<string, Set<string>>,
  labelValues: Map<string, Set<string>>,
): void {
  const [, name = '', labelText = '', number = ''] = SAMPLE.exec(line) ?? [];
  const family = families.has(name) ? name : name.replace(/_(bucket|sum|count)$/, '');
  if (families.get(family)?.size !== 2) throw new Error(`a sample without HELP and TYPE: ${line}`);
  const labels = readLabels(labelText, line);
  for (const [label, value] of Object.entries(labels)) labelValues.set(label, (labelValues.get(label) ?? new Set()).add(value));
  const key = keyOf(name, labels);
  if (samples.has(key)) throw new Error(`a sample twice: ${line}`);
  samples.set(key, { name, value: number.endsWith('Inf') ? Number(`${number}inity`) : Number(number) });
}

function readLabels(text: string, line: string): Record<string, string> {
  const labels: Record<string, string> = {};
  LABEL.lastIndex = 0;
  while (LABEL.lastIndex < text.length) {
    const [, name, value] = LABEL.exec(text) ?? [];
    if (name === undefined || value === undefined || name in labels) throw new Error(`labels are wrong: ${line}`);
    labels[name] = value.replace(/\\(.)/g, (_, char: string) => (char === 'n' ? '\n' : char));
  }
  return labels;
}

function keyOf(name: string, labels: Readonly<Record<string, string>>): string {
  return JSON.stringify([name, Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1))]);
}
