/**
 * `sluice worker|planner --join <metadata url>`: a node for a while, beside a job. It needs the metadata's address and the cluster
 * key, takes a free port, and leaves nothing behind.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Config, readConfig } from './config.ts';
import { fail } from './errors.ts';
import { durationUpTo } from './setting-values.ts';

export const JOIN_USAGE = `  sluice worker [--join url] [--ttl 2h] [--flag value …]
                                    join a cluster by its metadata's address, until the time is over; the key is SLUICE_CLUSTER_KEY
  sluice planner [--join url] [--ttl 2h] [--flag value …]`;

export interface Joined extends AsyncDisposable {
  readonly config: Config;
  /** null = until it is stopped. */
  readonly ttlMs: number | null;
}

/** A timer's most is 24 days. */
const TTL_MAX_MS = 20 * 24 * 3_600_000;

/** `args`: `--join`, `--ttl` and any setting's flag, which wins over what is chosen here. Rejects with config.invalid; dispose removes the state. */
export async function joinCluster(
  role: 'worker' | 'planner',
  args: readonly string[],
  environment?: Readonly<Record<string, string | undefined>>,
): Promise<Joined> {
  const { own, flags } = split(args);
  const ttlMs = readTtl(own.get('--ttl'));
  const url = own.get('--join');
  const directory = await mkdtemp(join(tmpdir(), `sluice-${role}-`));
  const remove = (): Promise<void> => rm(directory, { recursive: true, force: true });
  try {
    const all = ['--role', role, ...(url === undefined ? [] : ['--metadata', url]), ...flags];
    return { config: configOf(all, directory, environment), ttlMs, [Symbol.asyncDispose]: remove };
  } catch (error) {
    await remove();
    throw error;
  }
}

/** On all addresses where that is safe or allowed, else on loopback. */
function configOf(flags: readonly string[], directory: string, environment?: Readonly<Record<string, string | undefined>>): Config {
  const read = (defaults: Readonly<Record<string, string>>): Config =>
    readConfig(flags, environment, { SLUICE_STATE_DIR: directory, SLUICE_POLICIES: directory, ...defaults });
  const inside = read({ SLUICE_FLIGHT_LISTEN: '127.0.0.1:0' });
  if (inside.tlsCertificate === null && !inside.plaintextNetwork) return inside;
  const open = { SLUICE_FLIGHT_LISTEN: '0.0.0.0:0' };
  const config = read(open);
  // Nobody reaches an address that stands for all.
  if (!['0.0.0.0', '::'].includes(config.flightHost)) return config;
  const scheme = config.tlsCertificate === null ? 'grpc' : 'grpc+tls';
  return read({ ...open, SLUICE_ADVERTISE: `${scheme}://${hostname()}:${config.flightPort}` });
}

function readTtl(text: string | undefined): number | null {
  if (text === undefined) return null;
  try {
    return durationUpTo(TTL_MAX_MS, 1000)(text);
  } catch (error) {
    return fail('config.invalid', `--ttl ${(error as Error).message}`);
  }
}

/** `--join` and `--ttl`, as `--ttl 2h` or `--ttl=2h`, and the rest. */
function split(args: readonly string[]): { readonly own: ReadonlyMap<string, string>; readonly flags: readonly string[] } {
  const own = new Map<string, string>();
  const flags: string[] = [];
  for (let i = 0; i < args.length; i++) {
    const [flag = '', ...rest] = (args[i] ?? '').split('=');
    if (flag !== '--join' && flag !== '--ttl') {
      flags.push(args[i] ?? '');
      continue;
    }
    const value = rest.length > 0 ? rest.join('=') : args[++i];
    own.set(flag, value ?? fail('config.invalid', `${flag} needs a value`));
  }
  return { own, flags };
}
