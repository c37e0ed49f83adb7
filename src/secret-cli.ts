/** `sluice secret seal`: what stands in catalog.yaml for a secret, so that the file itself gives nothing away. */
import { text } from 'node:stream/consumers';
import { openKeys } from './cluster-keys.ts';
import { readConfig } from './config.ts';
import { fail } from './errors.ts';

export const SECRET_USAGE: string = `  sluice secret seal                read a secret from stdin, print what catalog.yaml holds for it (sealed with the cluster key)`;

/** Other flags are settings. Rejects with config.invalid. */
export async function runSecretCommand(args: readonly string[], say: (line: string) => void): Promise<number> {
  const [verb, ...flags] = args;
  if (verb !== 'seal') return fail('config.invalid', `usage:\n${SECRET_USAGE}`);
  const keys = await openKeys(readConfig(flags));
  if (process.stdin.isTTY) process.stderr.write('Secret, then Ctrl-D: ');
  // The line break comes from the terminal or from echo.
  const secret = (await text(process.stdin)).replace(/\r?\n$/, '');
  if (secret === '' || /\p{Cc}/u.test(secret)) return fail('config.invalid', 'the secret must be one line of text on stdin');
  say(keys.sealSecret(secret));
  return 0;
}
