/** Samples → the Markdown tables of README.md. Ratios are paired: a contender against the first one in the same round. */

export function tableOf(workloads, facts) {
  return [`Measured on ${facts}. Every figure is \`min / median\`; server CPU counts all its threads.`, ...workloads.map(sectionOf)].join(
    '\n\n',
  );
}

function sectionOf({ title, contenders, samples }) {
  const first = contenders[0].label;
  const header = `| server | wall s | server CPU s per GB | first batch ms | peak RSS MB | throughput vs ${first}: median (range) |`;
  const rows = contenders.map(({ label }) => rowOf(label, samples.get(label), samples.get(first), label === first));
  return [`**${title}**`, '', header, '|---|---|---|---|---|---|', ...rows].join('\n');
}

function rowOf(label, own, baseline, isBaseline) {
  const gigabytes = own[0].bytes / 1e9;
  const ratio = isBaseline ? '1' : ratioOf(own.map((sample, round) => baseline[round].wall_s / sample.wall_s));
  const cells = [
    label,
    pair(own, (sample) => sample.wall_s, 2),
    pair(own, (sample) => sample.cpu_s / gigabytes, 2),
    pair(own, (sample) => sample.first_s * 1000, 0),
    String(Math.round(Math.max(...own.map((sample) => sample.peak_mb)))),
    ratio,
  ];
  return `| ${cells.join(' | ')} |`;
}

/** Median and range of ratios that were taken pair by pair. */
export function ratioOf(ratios) {
  const sorted = ratios.toSorted((a, b) => a - b);
  return `**${median(sorted).toFixed(2)}×** (${sorted[0].toFixed(2)}–${sorted.at(-1).toFixed(2)})`;
}

/** `min / median`. */
export function pair(samples, value, digits) {
  const sorted = samples.map(value).sort((a, b) => a - b);
  return `${sorted[0].toFixed(digits)} / ${median(sorted).toFixed(digits)}`;
}

export function median(sorted) {
  const middle = sorted.length / 2;
  return sorted.length % 2 === 1 ? sorted[Math.floor(middle)] : (sorted[middle - 1] + sorted[middle]) / 2;
}
