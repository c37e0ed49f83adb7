/** What every bench run stands on: its data, made once in `.testbed/`, its arguments, and where its table goes. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { extensionPath, PYTHON, TESTBED } from '../test/support/testbed.mjs';

export const file = (name) => fileURLToPath(new URL(name, import.meta.url));
export const say = (line) => process.stdout.write(`${line}\n`);

const LOAD = loadavg()[0];
export const THREADS = availableParallelism();
const DEFAULT_ROUNDS = 7;

/** `[rounds [workload…]] [--tiny]`; tiny = hardly any data and no table: whether it runs at all. */
export function readArguments(workloads) {
  const tiny = process.argv.includes('--tiny');
  const [rounds, ...chosen] = process.argv.slice(2).filter((argument) => argument !== '--tiny');
  const unknown = chosen.filter((name) => !workloads.includes(name));
  if (unknown.length > 0) throw new Error(`no such workload: ${unknown.join(', ')}; there are ${workloads.join(', ')}`);
  return { rounds: Number(rounds ?? (tiny ? 1 : DEFAULT_ROUNDS)), tiny, chosen: chosen.length > 0 ? chosen : workloads };
}

/** TPC-H lineitem as one file, as finished batches, and as the files of a directory; scale 1 is 6.0 M rows. */
export function makeData(tiny) {
  const directory = join(TESTBED, tiny ? 'bench-tiny' : 'bench');
  const made = {
    directory,
    lineitem: join(directory, 'lineitem.parquet'),
    batches: join(directory, 'batches.arrows'),
    parts: join(directory, 'parts'),
  };
  mkdirSync(directory, { recursive: true });
  if ([made.lineitem, made.batches, made.parts].every((path) => existsSync(path))) return made;
  say('making TPC-H lineitem …');
  const scale = tiny ? '0.01' : '1';
  const run = spawnSync(PYTHON, [file('data.py'), extensionPath('tpch'), scale, made.lineitem, made.batches, made.parts], {
    stdio: 'inherit',
  });
  if (run.status !== 0) throw new Error('the bench data could not be made');
  return made;
}

/** This run's own, so that two runs do not change each other's users. */
export function scratchDirectory() {
  return mkdtempSync(join(tmpdir(), 'sluice-bench-'));
}

export function warnOfLoad() {
  if (LOAD > 0.5) say(`the machine is busy (load ${LOAD.toFixed(1)}): expect noise`);
}

export function factsOf(rounds) {
  const machine = `${THREADS} cores (${cpus()[0]?.model ?? 'unknown'}), load ${LOAD.toFixed(1)} before`;
  return `${machine}, Node ${process.versions.node}, ${rounds} rounds, ${new Date().toISOString().slice(0, 10)}`;
}

/** Between `<!-- name:start -->` and `<!-- name:end -->` of README.md. */
export function writeTable(name, table) {
  const readme = file('README.md');
  const between = new RegExp(`(?<=<!-- ${name}:start -->)[\\s\\S]*(?=<!-- ${name}:end -->)`);
  writeFileSync(
    readme,
    readFileSync(readme, 'utf8').replace(between, () => `\n${table}\n`),
  );
}
