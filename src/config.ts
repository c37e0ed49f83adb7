/**
 * The only reader of the environment: one table of settings gives the frozen Config, its flags and docs/configuration.md.
 * Every wrong or unknown setting is reported at once.
 */
import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SluiceError } from './errors.ts';

export interface Config {
  readonly role: 'all';
  readonly flightHost: string;
  readonly flightPort: number;
  readonly plaintextNetwork: boolean;
  readonly stateDirectory: string;
  readonly policyDirectory: string;
  readonly cluster: string;
  readonly clusterKey: Buffer | null;
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error' | 'silent';
  readonly memoryLimitBytes: number;
  readonly tempLimitBytes: number;
  readonly threads: number;
  readonly engineThreads: number;
  readonly streamsMax: number;
  readonly batchBytes: number;
  readonly streamWindow: number;
  readonly streamingBufferBytes: number;
  readonly sqlBytesMax: number;
  readonly sqlDepthMax: number;
  readonly sqlNodesMax: number;
  readonly ticketTtlMs: number;
  readonly sessionTtlMs: number;
  readonly drainMs: number;
}

interface Setting {
  readonly key: keyof Config | 'flightListen';
  /** Text as a person would set it. */
  readonly default: string;
  readonly doc: string;
  readonly secret?: boolean;
  /** Throws an Error whose message completes "SLUICE_X …". */
  readonly parse: (text: string) => unknown;
}

const MIB = 1024 ** 2;
const UNITS: Readonly<Record<string, number>> = { '': 1, KB: 1024, MB: MIB, GB: 1024 ** 3 };
const DURATIONS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** The policy set that ships with Sluice: the demo's, the README's and the tests'. */
export const QUICKSTART_DIRECTORY: string = fileURLToPath(new URL('../policies/quickstart', import.meta.url));

export const SETTINGS: Readonly<Record<string, Setting>> = {
  SLUICE_ROLE: { key: 'role', default: 'all', parse: oneOf('all'), doc: 'What this process does: `all` plans and serves.' },
  SLUICE_FLIGHT_LISTEN: {
    key: 'flightListen',
    default: '127.0.0.1:8815',
    parse: parseListen,
    doc: 'Address of the Flight SQL server, `host:port`. Port 0 takes a free one.',
  },
  SLUICE_PLAINTEXT_NETWORK: {
    key: 'plaintextNetwork',
    default: 'refuse',
    parse: (text) => oneOf('refuse', 'allow')(text) === 'allow',
    doc: '`allow` lets a server without TLS listen beyond loopback.',
  },
  SLUICE_STATE_DIR: {
    key: 'stateDirectory',
    default: '.sluice',
    parse: path,
    doc: 'Directory for the cluster key, the audit log, temporary files and the demo data.',
  },
  SLUICE_POLICIES: {
    key: 'policyDirectory',
    default: 'policies/quickstart',
    parse: path,
    doc: 'The policy directory. The default is the demo that ships with Sluice.',
  },
  SLUICE_CLUSTER: { key: 'cluster', default: 'local', parse: nonEmpty, doc: 'Name of this cluster; tickets are valid within it.' },
  SLUICE_CLUSTER_KEY: {
    key: 'clusterKey',
    default: '',
    secret: true,
    parse: parseKey,
    doc: '32 bytes in base64 that seal tickets and sessions and key the tokens. Empty: made once in the state directory.',
  },
  SLUICE_LOG_LEVEL: {
    key: 'logLevel',
    default: 'warn',
    parse: oneOf('debug', 'info', 'warn', 'error', 'silent'),
    doc: 'Least severe log line written to stderr.',
  },
  SLUICE_MEMORY_LIMIT: {
    key: 'memoryLimitBytes',
    default: '4GB',
    parse: bytes(64 * MIB, 2 ** 50),
    doc: 'Memory of the query engine; beyond it queries spill.',
  },
  SLUICE_TEMP_LIMIT: { key: 'tempLimitBytes', default: '16GB', parse: bytes(0, 2 ** 50), doc: 'Disk space for spilling.' },
  SLUICE_THREADS: { key: 'threads', default: 'cores', parse: parseThreads, doc: 'Threads of the query engine; `cores` is one per core.' },
  SLUICE_ENGINE_THREADS: {
    key: 'engineThreads',
    default: '16',
    parse: integer(1, 256),
    doc: 'Most results that are computed at the same time; more wait their turn.',
  },
  SLUICE_MAX_STREAMS: {
    key: 'streamsMax',
    default: '256',
    parse: integer(1, 100_000),
    doc: 'Most result streams open at once; the next is refused with RESOURCE_EXHAUSTED.',
  },
  SLUICE_BATCH_BYTES: {
    key: 'batchBytes',
    default: '3MB',
    parse: bytes(64 * 1024, 15 * MIB),
    doc: 'Target size of one record batch. Clients with the gRPC default accept messages under 4 MB.',
  },
  SLUICE_STREAM_WINDOW: {
    key: 'streamWindow',
    default: '4',
    parse: integer(1, 64),
    doc: 'Record batches a stream may hold in memory at once.',
  },
  SLUICE_STREAMING_BUFFER: {
    key: 'streamingBufferBytes',
    default: '64MB',
    parse: bytes(MIB, 2 ** 40),
    doc: 'How far the engine may scan ahead of a reader.',
  },
  SLUICE_SQL_MAX_BYTES: { key: 'sqlBytesMax', default: '256KB', parse: bytes(1024, 16 * MIB), doc: 'Longest statement.' },
  SLUICE_SQL_MAX_DEPTH: { key: 'sqlDepthMax', default: '150', parse: integer(10, 1000), doc: 'Deepest nesting of a statement.' },
  SLUICE_SQL_MAX_NODES: { key: 'sqlNodesMax', default: '50000', parse: integer(100, 10_000_000), doc: 'Most syntax nodes of a statement.' },
  SLUICE_TICKET_TTL: {
    key: 'ticketTtlMs',
    default: '10m',
    parse: duration(1000),
    doc: 'How long a ticket or prepared statement stays valid.',
  },
  SLUICE_SESSION_TTL: {
    key: 'sessionTtlMs',
    default: '8h',
    parse: duration(1000),
    doc: 'How long a bearer token stays valid; each response carries a fresh one.',
  },
  SLUICE_DRAIN: { key: 'drainMs', default: '10s', parse: duration(0), doc: 'How long running streams may go on after SIGTERM.' },
};

/** `SLUICE_FLIGHT_LISTEN` ↔ `--flight-listen`. */
export function flagOf(name: string): string {
  return `--${name.slice('SLUICE_'.length).toLowerCase().replaceAll('_', '-')}`;
}

/**
 * Flags win over the environment, the environment over defaults.
 * Throws SluiceError `config.invalid` whose message lists every problem, one per line.
 */
export function readConfig(flags: readonly string[], environment: Readonly<Record<string, string | undefined>> = process.env): Config {
  const problems: string[] = [];
  const given = { ...knownEnvironment(environment, problems), ...readFlags(flags, problems) };
  const values: Record<string, unknown> = {};
  for (const [name, setting] of Object.entries(SETTINGS)) {
    try {
      const value = setting.parse(given[name] ?? setting.default);
      if (setting.key === 'flightListen') Object.assign(values, value);
      else values[setting.key] = value;
    } catch (error) {
      problems.push(`${name} ${(error as Error).message}`);
    }
  }
  if (given['SLUICE_POLICIES'] === undefined) values['policyDirectory'] = QUICKSTART_DIRECTORY;
  if (values['flightHost'] !== undefined) problems.push(...exposureProblems(values));
  if (problems.length > 0) throw new SluiceError('config.invalid', problems.join('\n'));
  // Each key of Config has one row in SETTINGS, which the unit test checks.
  return Object.freeze(values) as unknown as Config;
}

/** No demo password and no plaintext beyond loopback. */
function exposureProblems(values: Readonly<Record<string, unknown>>): readonly string[] {
  if (['127.0.0.1', '::1', 'localhost'].includes(String(values['flightHost']))) return [];
  if (values['policyDirectory'] === QUICKSTART_DIRECTORY)
    return ['SLUICE_FLIGHT_LISTEN must be on loopback with the demo, whose passwords are well known; set SLUICE_POLICIES'];
  if (values['plaintextNetwork'] !== true)
    return ['SLUICE_FLIGHT_LISTEN must be on loopback without TLS; SLUICE_PLAINTEXT_NETWORK=allow overrides'];
  return [];
}

function knownEnvironment(environment: Readonly<Record<string, string | undefined>>, problems: string[]): Record<string, string> {
  const known: Record<string, string> = {};
  for (const [name, value] of Object.entries(environment)) {
    if (!name.startsWith('SLUICE_') || value === undefined) continue;
    if (name in SETTINGS) known[name] = value;
    else problems.push(`${name} is not a setting`);
  }
  return known;
}

function readFlags(flags: readonly string[], problems: string[]): Record<string, string> {
  const names = new Map(Object.keys(SETTINGS).map((name) => [flagOf(name), name]));
  const values: Record<string, string> = {};
  for (let i = 0; i < flags.length; i++) {
    const [flag = '', ...rest] = (flags[i] ?? '').split('=');
    const name = names.get(flag);
    if (name === undefined) {
      problems.push(`${flags[i]} is not a setting`);
      continue;
    }
    const value = rest.length > 0 ? rest.join('=') : flags[++i];
    if (value === undefined) problems.push(`${flag} needs a value`);
    else values[name] = value;
  }
  return values;
}

function parseListen(text: string): { flightHost: string; flightPort: number } {
  const match = /^\[?([^\]]+?)\]?:(\d{1,5})$/.exec(text);
  const port = Number(match?.[2]);
  if (match?.[1] === undefined || port > 65_535) throw new Error('must be host:port, for example 127.0.0.1:8815');
  return { flightHost: match[1], flightPort: port };
}

function parseKey(text: string): Buffer | null {
  if (text === '') return null;
  const key = Buffer.from(text, 'base64');
  if (key.length !== 32) throw new Error('must be 32 bytes in base64, for example from `openssl rand -base64 32`');
  return key;
}

function parseThreads(text: string): number {
  return text === 'cores' ? availableParallelism() : integer(1, 1024)(text);
}

function nonEmpty(text: string): string {
  if (text.trim() === '') throw new Error('must not be empty');
  return text;
}

function path(text: string): string {
  return resolve(nonEmpty(text));
}

function oneOf(...values: readonly string[]): (text: string) => string {
  return (text) => {
    if (!values.includes(text)) throw new Error(`must be one of: ${values.join(', ')}`);
    return text;
  };
}

function integer(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < min || value > max) throw new Error(`must be a whole number from ${min} to ${max}`);
    return value;
  };
}

function bytes(min: number, max: number): (text: string) => number {
  return (text) => {
    const match = /^(\d+)(KB|MB|GB|)$/.exec(text);
    const value = Number(match?.[1]) * (UNITS[match?.[2] ?? ''] ?? Number.NaN);
    if (!(value >= min && value <= max)) throw new Error(`must be a size such as 512MB, at least ${min} bytes and at most ${max}`);
    return value;
  };
}

function duration(minMs: number): (text: string) => number {
  return (text) => {
    const match = /^(\d+)(ms|s|m|h)$/.exec(text);
    const value = Number(match?.[1]) * (DURATIONS[match?.[2] ?? ''] ?? Number.NaN);
    if (!(value >= minMs && value <= 365 * 24 * 3_600_000)) throw new Error('must be a duration such as 500ms, 30s, 10m or 8h');
    return value;
  };
}
