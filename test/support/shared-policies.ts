/** Policy sets in a PostgreSQL that several nodes share. */
import { createLogger } from '#src/log.js';
import { runPolicyCommand } from '#src/policy-cli.js';
import { STATE_DIRECTORY } from './server.ts';

/** As `sluice policy push` does it. */
export async function pushPolicies(url: string, directory: string): Promise<void> {
  const { SLUICE_METADATA: before } = process.env;
  process.env['SLUICE_METADATA'] = url;
  try {
    await runPolicyCommand(['push', directory, '--state-dir', STATE_DIRECTORY], { logger: createLogger('silent') }, () => {});
  } finally {
    if (before === undefined) delete process.env['SLUICE_METADATA'];
    else process.env['SLUICE_METADATA'] = before;
  }
}
