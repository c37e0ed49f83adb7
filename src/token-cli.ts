/** `sluice token create | list | revoke`: personal access tokens of any user, for whoever may write the state directory. */
import type { Tokens } from './auth/index.ts';
import { openSharedDocument, PostgresSession, type SharedDocument } from './catalog/index.ts';
import { openKeysIfThere } from './cluster-keys.ts';
import { type Config, readConfig } from './config.ts';
import { fail } from './errors.ts';
import { openTokens } from './identity.ts';
import { type MetadataOptions, openMetadata } from './metadata.ts';
import { takeFlag } from './policy-cli.ts';
import { duration } from './setting-values.ts';

export const TOKEN_USAGE: string = `  sluice token create <name>        make a personal access token and print it once (--user NAME, --expires 30d)
  sluice token list                 what tokens a user has (--user NAME)
  sluice token revoke <name>        end a token at once (--user NAME)`;

/** Other flags are settings. Rejects with config.invalid, token.invalid, auth.unavailable. */
export async function runTokenCommand(args: readonly string[], options: MetadataOptions, say: (line: string) => void): Promise<number> {
  const [verb = '', ...rest] = args;
  const { value: user, others } = takeFlag(rest, '--user');
  const { value: expires, others: named } = takeFlag(others, '--expires');
  const [name = '-', ...flags] = verb === 'list' ? ['', ...named] : named;
  if (!['create', 'list', 'revoke'].includes(verb) || user === undefined || name.startsWith('-'))
    return fail('config.invalid', `usage:\n${TOKEN_USAGE}`);
  const config = readConfig(flags);
  await using store = await openStore(config, options);
  const { tokens } = store;
  switch (verb) {
    case 'create':
      await checkUser(config, options, user);
      say((await tokens.create(user, name, lifetimeOf(expires))).token);
      return 0;
    case 'revoke':
      await tokens.revoke(user, name);
      return 0;
    default:
      for (const record of await tokens.list(user))
        say(`${record.name}  created ${day(record.createdAtMs)}  expires ${day(record.expiresAtMs)}  used ${day(record.usedAtMs)}`);
      return 0;
  }
}

/** Without the policy set: a token can be revoked also while that is broken. */
async function openStore(config: Config, options: MetadataOptions): Promise<AsyncDisposable & { readonly tokens: Tokens }> {
  const { metadataUrl: url, metadataGraceMs } = config;
  const session = url === null ? null : await PostgresSession.open({ url, onProblems: options.onProblems ?? (() => {}) });
  const shared = async (name: string): Promise<SharedDocument | null> =>
    session === null ? null : openSharedDocument(session, name, metadataGraceMs);
  return { tokens: await openTokens(config, { shared }), [Symbol.asyncDispose]: async () => session?.[Symbol.asyncDispose]() };
}

async function checkUser(config: Config, options: MetadataOptions, user: string): Promise<void> {
  await using metadata = await openMetadata(config, await openKeysIfThere(config), options);
  const known = metadata.current().snapshot.users.some(({ name }) => name === user);
  if (!known) fail('token.invalid', `there is no user ${user} in users.yaml`);
}

/** null: as the settings say. */
function lifetimeOf(text: string | undefined): number | null {
  if (text === undefined) return null;
  try {
    return duration(1)(text);
  } catch (error) {
    return fail('config.invalid', `--expires ${(error as Error).message}`);
  }
}

function day(timeMs: number | null): string {
  return timeMs === null ? 'never' : new Date(timeMs).toISOString().slice(0, 16);
}
