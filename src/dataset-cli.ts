/** `sluice dataset register | refresh | list`: datasets of files and their indexes, for whoever may write the policy set. */
import { userInfo } from 'node:os';
import { openKeysIfThere } from './cluster-keys.ts';
import { readConfig } from './config.ts';
import type { RegistryReport } from './datasets/index.ts';
import { fail } from './errors.ts';
import { FILE_FORMATS } from './files.ts';
import { type Metadata, type MetadataOptions, openMetadata } from './metadata.ts';
import type { Dataset, TableName } from './model.ts';
import { foldName } from './names.ts';
import { takeFlag } from './policy-cli.ts';

export const DATASET_USAGE: string = `  sluice dataset register <schema.name>
                                    make files a dataset of catalog.yaml: --connection NAME --path PATH
                                    (--format parquet|csv|json, --hive, --tags a,b, --description TEXT)
  sluice dataset refresh <schema.name>
                                    take its files as they are now into its index (--all: of every dataset that has one)
  sluice dataset list               datasets of files, and what is known of them`;

type Say = (line: string) => void;
type Command = (metadata: Metadata, say: Say) => Promise<void>;

/** Other flags are settings. Rejects with config.invalid, dataset.*, policy.invalid, metadata.*, storage.unavailable. */
export async function runDatasetCommand(args: readonly string[], options: MetadataOptions, say: Say): Promise<number> {
  const [verb = '', ...rest] = args;
  const { command, flags } = (VERBS[verb] ?? usage)(rest);
  const config = readConfig(flags);
  await using metadata = await openMetadata(config, await openKeysIfThere(config), options);
  await command(metadata, say);
  return 0;
}

interface Parsed {
  readonly command: Command;
  readonly flags: readonly string[];
}

const VERBS: Readonly<Record<string, (args: readonly string[]) => Parsed>> = {
  register,
  refresh,
  list: (flags) => ({ command: list, flags }),
};

function usage(): never {
  return fail('config.invalid', `usage:\n${DATASET_USAGE}`);
}

function register([name = '', ...rest]: readonly string[]): Parsed {
  const connection = takeFlag(rest, '--connection');
  const path = takeFlag(connection.others, '--path');
  const format = takeFlag(path.others, '--format');
  const tags = takeFlag(format.others, '--tags');
  const description = takeFlag(tags.others, '--description');
  const hive = takeSwitch(description.others, '--hive');
  const known = FILE_FORMATS.find((each) => each === (format.value ?? 'parquet'));
  const table = tableOf(name);
  if (connection.value === undefined || path.value === undefined || known === undefined || table === null) return usage();
  const request = {
    table,
    connection: connection.value,
    path: path.value,
    format: known,
    hivePartitioning: hive.given,
    ...(description.value === undefined ? {} : { description: description.value }),
    ...(tags.value === undefined ? {} : { tags: tags.value.split(',').flatMap((tag) => (tag.trim() === '' ? [] : [tag.trim()])) }),
  };
  return {
    flags: hive.others,
    command: async ({ datasets }, say) => {
      const report = await datasets.register(request, { author: userInfo().username, signal: neverEnds(), onProgress: say });
      for (const column of report.columns) say(`  ${column.name} ${column.type}`);
      tell(report, say);
    },
  };
}

function refresh(args: readonly string[]): Parsed {
  const all = takeSwitch(args, '--all');
  const [name = '', ...flags] = all.given ? ['', ...all.others] : all.others;
  const table = tableOf(name);
  if (table === null && !all.given) return usage();
  return {
    flags,
    command: async (metadata, say) => {
      if (table === null) return refreshAll(metadata, say);
      tell(await metadata.datasets.refresh(named(table, metadata), { signal: neverEnds(), onProgress: say }), say);
    },
  };
}

/** One that can not be refreshed does not hold up the others. */
async function refreshAll(metadata: Metadata, say: Say): Promise<void> {
  const datasets = await indexed(metadata);
  let failed = 0;
  for (const dataset of datasets) {
    try {
      tell(await metadata.datasets.refresh(dataset, { signal: neverEnds(), onProgress: say }), say);
    } catch (error) {
      failed++;
      say(`${nameOf(dataset)}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  if (failed > 0) fail('dataset.invalid', `${failed} of ${datasets.length} datasets were not refreshed`);
}

async function list(metadata: Metadata, say: Say): Promise<void> {
  const summaries = new Map((await metadata.indexes.list()).map((summary) => [summary.dataset, summary]));
  for (const dataset of metadata.current().snapshot.datasets) {
    if (dataset.source.kind === 'view' || dataset.source.kind === 'duckdb') continue;
    const known = summaries.get(dataset.id);
    const facts =
      known === undefined
        ? 'no index: files are listed for each query'
        : `${count(known.files, 'file')} as of ${new Date(known.indexedAtMs).toISOString()}`;
    say(`${nameOf(dataset)}  ${dataset.source.kind}  ${count(dataset.columns.length, 'column')}  ${facts}`);
  }
}

async function indexed(metadata: Metadata): Promise<readonly Dataset[]> {
  const known = new Set((await metadata.indexes.list()).map(({ dataset }) => dataset));
  return metadata.current().snapshot.datasets.filter(({ id }) => known.has(id));
}

function named({ schema, name }: TableName, metadata: Metadata): Dataset {
  const found = metadata
    .current()
    .snapshot.datasets.find((dataset) => foldName(dataset.schema) === foldName(schema) && foldName(dataset.name) === foldName(name));
  return found ?? fail('dataset.unknown', `there is no dataset ${schema}.${name} in the catalog`);
}

function tell({ dataset, files, added, changed, removed, rows, note }: RegistryReport, say: Say): void {
  const inRows = rows === null ? '' : `, ${count(rows, 'row')}`;
  say(`${nameOf(dataset)}: ${count(files, 'file')}${inRows}; ${added} new, ${changed} changed, ${removed} gone`);
  if (note !== '') say(note);
}

function nameOf({ schema, name }: TableName): string {
  return `${schema}.${name}`;
}

function count(number: number, noun: string): string {
  return `${number.toLocaleString('en-US')} ${noun}${number === 1 ? '' : 's'}`;
}

/** null = not `schema.name`. */
function tableOf(text: string): TableName | null {
  const [schema = '', name = '', ...more] = text.split('.');
  return schema === '' || name === '' || more.length > 0 || schema.startsWith('-') ? null : { schema, name };
}

function takeSwitch(args: readonly string[], name: string): { readonly given: boolean; readonly others: readonly string[] } {
  return { given: args.includes(name), others: args.filter((arg) => arg !== name) };
}

function neverEnds(): AbortSignal {
  return new AbortController().signal;
}
