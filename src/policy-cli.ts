/** `sluice policy push | pull | log`: the shared policy set as revisions, with compare-and-set. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { type PostgresStore, readFiles } from './catalog/index.ts';
import { readConfig } from './config.ts';
import { fail } from './errors.ts';
import { type MetadataOptions, withRevisions } from './metadata.ts';

export const POLICY_USAGE: string = `  sluice policy push <directory>    make its files the next revision of the shared policy set (--comment TEXT)
  sluice policy pull <directory>    write the newest revision there
  sluice policy log                 who changed the shared policy set, and when`;

/** Which revision a directory's files were made from: what a push expects to replace. */
const EPOCH_FILE = '.epoch';
const REVISIONS_SHOWN = 50;

type Say = (line: string) => void;

/** Other flags are settings. Rejects with config.invalid, policy.invalid, metadata.*. */
export async function runPolicyCommand(args: readonly string[], options: MetadataOptions, say: Say): Promise<number> {
  const [verb, ...rest] = args;
  const { value: comment = '', others } = takeFlag(rest, '--comment');
  const [directory, ...flags] = verb === 'log' ? ['', ...others] : others;
  const run = VERBS[verb ?? ''];
  if (run === undefined || directory === undefined || directory.startsWith('-')) return fail('config.invalid', `usage:\n${POLICY_USAGE}`);
  await withRevisions(readConfig(flags), options, (store) => run(store, { directory, comment, say }));
  return 0;
}

interface Request {
  readonly directory: string;
  readonly comment: string;
  readonly say: Say;
}

const VERBS: Readonly<Record<string, (store: PostgresStore, request: Request) => Promise<void>>> = { push, pull, log };

async function push(store: PostgresStore, { directory, comment, say }: Request): Promise<void> {
  const epoch = await store.push(await readFiles(directory), await expectedEpoch(directory), { author: userInfo().username, comment });
  await writeFile(join(directory, EPOCH_FILE), `${epoch}\n`);
  say(`revision ${epoch} is in force`);
}

async function pull(store: PostgresStore, { directory, say }: Request): Promise<void> {
  const newest = (await store.pull()) ?? fail('policy.invalid', 'the metadata holds no policy set yet');
  await mkdir(directory, { recursive: true });
  for (const [name, text] of newest.files) await writeFile(join(directory, name), text);
  await writeFile(join(directory, EPOCH_FILE), `${newest.epoch}\n`);
  say(`revision ${newest.epoch}: ${[...newest.files.keys()].join(', ')}`);
}

async function log(store: PostgresStore, { say }: Request): Promise<void> {
  for (const { epoch, createdAt, author, comment } of await store.revisions(REVISIONS_SHOWN))
    say(`${epoch}  ${createdAt.toISOString()}  ${author}  ${comment}`);
}

/** A directory that was never pulled can only become the first revision. */
async function expectedEpoch(directory: string): Promise<number> {
  const text = await readFile(join(directory, EPOCH_FILE), 'utf8').catch(() => '0');
  const epoch = Number(text.trim());
  return Number.isSafeInteger(epoch) ? epoch : fail('config.invalid', `${join(directory, EPOCH_FILE)} does not hold a number; pull first`);
}

/** A flag of a command's own, and the arguments without it. */
export function takeFlag(
  args: readonly string[],
  name: string,
): { readonly value: string | undefined; readonly others: readonly string[] } {
  const at = args.indexOf(name);
  return at < 0 ? { value: undefined, others: args } : { value: args[at + 1], others: args.toSpliced(at, 2) };
}
