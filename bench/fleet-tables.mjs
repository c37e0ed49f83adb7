/** Samples of the fleet's bench → Markdown tables. Ratios are paired: a contender against the first one in the same round. */
import { median, pair, ratioOf } from './table.mjs';

const wall = (sample) => sample.wall_s;
const cpu = (sample) => sample.cpu_s;

function tableOf(title, header, rows, notes = []) {
  const line = (cells) => `| ${cells.join(' | ')} |`;
  return [
    `**${title}**`,
    '',
    line(header),
    `|${'---|'.repeat(header.length)}`,
    ...rows.map(line),
    ...notes.flatMap((note) => ['', note]),
  ].join('\n');
}

/** `samples`: label → rounds of {cold, hot}. */
export function lakeTable({ title, samples }) {
  const [[first, baseline]] = [...samples];
  const against = (rounds, key) => ratioOf(rounds.map((round, index) => baseline[index][key].wall_s / round[key].wall_s));
  const rows = [...samples].map(([label, rounds]) => {
    const cold = rounds.map((round) => round.cold);
    const hot = rounds.map((round) => round.hot);
    const isFirst = label === first;
    return [
      label,
      pair(cold, wall, 2),
      isFirst ? '1' : against(rounds, 'cold'),
      pair(hot, wall, 3),
      isFirst ? '1' : against(rounds, 'hot'),
      `${pair(cold, cpu, 2)} · ${pair(hot, cpu, 2)}`,
      String(Math.round(Math.max(...rounds.map(({ peak_mb }) => peak_mb)))),
    ];
  });
  return tableOf(title, ['', 'cold wall s', `cold vs ${first}`, 'hot wall s', 'hot vs the same', 'CPU s cold · hot', 'peak RSS MB'], rows);
}

/** `one`, `three`: rounds of {wall_s, cpu_s, bytes}; `own` = each worker has a core of its own. */
export function scalingTable({ title, one, three, own, layout }) {
  const perGb = (sample) => sample.cpu_s / (sample.bytes / 1e9);
  const speedups = one.map((sample, round) => sample.wall_s / three[round].wall_s);
  const wallEfficiency = speedups.map((speedup) => (own ? speedup / 3 : speedup));
  const cpuEfficiency = one.map((sample, round) => perGb(sample) / perGb(three[round]));
  const row = (label, samples, efficiencies) => [label, pair(samples, wall, 2), pair(samples, perGb, 2), ...efficiencies];
  return tableOf(
    title,
    ['workers', 'wall s', 'CPU s of the workers per GB', 'throughput per core vs one', 'CPU per GB vs one'],
    [row('1', one, ['1', '1']), row('3', three, [ratioOf(wallEfficiency), ratioOf(cpuEfficiency)])],
    [layout],
  );
}

/** `samples`: label → rounds of {rate, p50_ms, p99_ms, errors, queries}. */
export function clientsTable({ title, samples }) {
  const [[first, baseline]] = [...samples];
  const rows = [...samples].map(([label, rounds]) => [
    label,
    pair(rounds, ({ rate }) => rate, 0),
    pair(rounds, ({ p50_ms }) => p50_ms, 0),
    pair(rounds, ({ p99_ms }) => p99_ms, 0),
    `${rounds.reduce((sum, { errors }) => sum + errors, 0)} of ${rounds.reduce((sum, { queries, errors }) => sum + queries + errors, 0)}`,
    label === first ? '1' : ratioOf(rounds.map(({ rate }, round) => rate / baseline[round].rate)),
  ]);
  return tableOf(title, ['', 'queries per s', 'p50 ms', 'p99 ms', 'errors', `rate vs ${first}`], rows);
}

/** `peaks`: process → MB. */
export function memoryTable(title, peaks) {
  return tableOf(
    title,
    ['process', 'peak RSS MB'],
    [...peaks].map(([name, mb]) => [name, String(Math.round(mb))]),
  );
}

/** `rows`: {label, files, read, latencies in ms}. */
export function filesTable(title, rows) {
  return tableOf(
    title,
    ['files of the dataset', 'the query reads', 'files it reads', 'p50 ms', 'p99 ms', 'plans'],
    rows.map(({ label, files, read, latencies }) => {
      const sorted = latencies.toSorted((a, b) => a - b);
      const p99 = sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * 0.99))];
      return [
        files.toLocaleString('en'),
        label,
        read.toLocaleString('en'),
        median(sorted).toFixed(2),
        p99.toFixed(2),
        String(sorted.length),
      ];
    }),
  );
}
