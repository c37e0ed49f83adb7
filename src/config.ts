/**
 * The only reader of the environment: the table in settings.ts gives the frozen Config, its flags and docs/configuration.md.
 * Every wrong or unknown setting is reported at once.
 */
import { fileURLToPath } from 'node:url';
import { SluiceError } from './errors.ts';
import { isLoopback } from './loopback.ts';
import type { Listen } from './setting-values.ts';
import { SETTINGS } from './settings.ts';

export interface Config {
  readonly role: 'all' | 'planner' | 'worker';
  /** null = the address that is listened on. */
  readonly advertise: string | null;
  readonly zone: string;
  readonly flightHost: string;
  readonly flightPort: number;
  readonly httpListen: Listen | null;
  readonly httpPlaintext: boolean;
  readonly plaintextNetwork: boolean;
  readonly stateDirectory: string;
  /** A path, or `stdout`; null = `audit.jsonl` in the state directory. */
  readonly auditLog: string | null;
  /** null = `scratch` in the state directory. */
  readonly scratchDirectory: string | null;
  readonly scratchTables: number;
  readonly scratchBytes: number;
  readonly policyDirectory: string;
  readonly metadataUrl: string | null;
  readonly metadataGraceMs: number;
  readonly heartbeatMs: number;
  readonly aliveMs: number;
  readonly healthMs: number;
  readonly cluster: string;
  readonly clusterKey: Buffer | null;
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error' | 'silent';
  readonly memoryLimitBytes: number;
  readonly tempLimitBytes: number;
  readonly threads: number;
  readonly engineThreads: number;
  readonly connectionsMax: number;
  readonly connectionsPerAddress: number;
  readonly streamsMax: number;
  readonly streamsPerPrincipal: number;
  readonly queueMax: number;
  readonly queuePerPrincipal: number;
  readonly queueMs: number;
  readonly plansPerPrincipal: number;
  readonly queryMs: number;
  readonly streamIdleMs: number;
  readonly resultBytesMax: number;
  /** null = derived from the engine's limit and the machine. */
  readonly rssLimitBytes: number | null;
  readonly batchBytes: number;
  readonly streamWindow: number;
  readonly streamingBufferBytes: number;
  /** null = derived from the resident limit and the engine's. */
  readonly streamMemoryBytes: number | null;
  readonly resultCacheBytes: number;
  readonly resultCacheDiskBytes: number;
  readonly hotTableBytes: number;
  readonly hotTablesBytes: number;
  /** null = DuckDB's own place. */
  readonly extensions: string | null;
  readonly sqlBytesMax: number;
  readonly sqlDepthMax: number;
  readonly sqlNodesMax: number;
  readonly ticketTtlMs: number;
  readonly sessionTtlMs: number;
  readonly sessionOptionsTtlMs: number;
  readonly sessionMaxMs: number;
  readonly tokenTtlMs: number;
  readonly tokenTtlMaxMs: number;
  readonly tlsCertificate: string | null;
  readonly tlsKey: string | null;
  readonly tlsClientAuth: 'none' | 'require';
  readonly tlsClientAuthority: string | null;
  readonly tlsAuthority: string | null;
  readonly tlsClientCertificate: string | null;
  readonly tlsClientKey: string | null;
  readonly oidcIssuer: string | null;
  readonly oidcAudiences: readonly string[];
  readonly oidcJwksUrl: string | null;
  readonly oidcSubjectClaim: string;
  readonly oidcGroupsClaims: readonly string[];
  /** Attribute → claim. */
  readonly oidcAttributes: Readonly<Record<string, string>>;
  readonly oidcGraceMs: number;
  readonly clockSkewMs: number;
  readonly drainMs: number;
}

/** The policy set that ships with Sluice: the demo's, the README's and the tests'. */
export const QUICKSTART_DIRECTORY: string = fileURLToPath(new URL('../policies/quickstart', import.meta.url));

/** `SLUICE_FLIGHT_LISTEN` ↔ `--flight-listen`. */
export function flagOf(name: string): string {
  return `--${name.slice('SLUICE_'.length).toLowerCase().replaceAll('_', '-')}`;
}

/**
 * Flags win over the environment, the environment over `defaults`, and these over the table's.
 * Throws SluiceError `config.invalid` whose message lists every problem, one per line.
 */
export function readConfig(
  flags: readonly string[],
  environment: Readonly<Record<string, string | undefined>> = process.env,
  defaults: Readonly<Record<string, string>> = {},
): Config {
  const problems: string[] = [];
  const given: Record<string, string> = { ...defaults, ...knownEnvironment(environment, problems), ...readFlags(flags, problems) };
  const values: Record<string, unknown> = {};
  for (const [name, setting] of Object.entries(SETTINGS)) {
    try {
      const value = setting.parse(given[name] ?? setting.default);
      if (setting.key === 'flightListen') Object.assign(values, flightAddress(value as Listen));
      else values[setting.key] = value;
    } catch (error) {
      problems.push(`${name} ${(error as Error).message}`);
    }
  }
  if (given['SLUICE_POLICIES'] === undefined) values['policyDirectory'] = QUICKSTART_DIRECTORY;
  if (values['flightHost'] !== undefined && values['httpListen'] !== undefined) problems.push(...exposureProblems(values));
  problems.push(...fleetProblems(values), ...identityProblems(values));
  if (problems.length > 0) throw new SluiceError('config.invalid', problems.join('\n'));
  // Each key of Config has one row in SETTINGS, which the unit test checks.
  return Object.freeze(values) as unknown as Config;
}

function flightAddress({ host, port }: Listen): Pick<Config, 'flightHost' | 'flightPort'> {
  return { flightHost: host, flightPort: port };
}

/** No demo password and no plaintext beyond loopback. */
function exposureProblems(values: Readonly<Record<string, unknown>>): readonly string[] {
  const listen = values['httpListen'] as Listen | null;
  const httpAllowed = values['httpPlaintext'] === true || values['plaintextNetwork'] === true;
  if (listen !== null && !isLoopback(listen.host) && !httpAllowed)
    return ['SLUICE_HTTP_LISTEN must be on loopback, for it has no TLS; SLUICE_HTTP_PLAINTEXT=allow overrides'];
  if (isLoopback(String(values['flightHost']))) return [];
  if (values['policyDirectory'] === QUICKSTART_DIRECTORY)
    return ['SLUICE_FLIGHT_LISTEN must be on loopback with the demo, whose passwords are well known; set SLUICE_POLICIES'];
  if (values['plaintextNetwork'] !== true && values['tlsCertificate'] === null)
    return ['SLUICE_FLIGHT_LISTEN must be on loopback without TLS; SLUICE_PLAINTEXT_NETWORK=allow overrides'];
  return [];
}

/** A fleet shares its metadata and its key. */
function fleetProblems(values: Readonly<Record<string, unknown>>): readonly string[] {
  const { role, metadataUrl, clusterKey, heartbeatMs, aliveMs } = values;
  const problems: string[] = [];
  // One that is late, or lost on the way, must not make a worker look dead.
  if (typeof heartbeatMs === 'number' && typeof aliveMs === 'number' && aliveMs < 3 * heartbeatMs)
    problems.push('SLUICE_HEARTBEAT_MAX must be at least three times SLUICE_HEARTBEAT');
  if ((values['tlsClientCertificate'] === null) !== (values['tlsClientKey'] === null))
    problems.push('SLUICE_TLS_CLIENT_CERT and SLUICE_TLS_CLIENT_KEY go together; set both or none');
  if (role !== 'planner' && role !== 'worker') return problems;
  if (metadataUrl === null) problems.push(`SLUICE_ROLE=${role} needs SLUICE_METADATA=postgres://…`);
  if (clusterKey === null) problems.push(`SLUICE_ROLE=${role} needs SLUICE_CLUSTER_KEY, the same on every node`);
  return problems;
}

/** Half of a pair would be a belief in a protection that is not there. */
function identityProblems(values: Readonly<Record<string, unknown>>): readonly string[] {
  const problems: string[] = [];
  const unset = (key: keyof Config): boolean => values[key] === null;
  const require = values['tlsClientAuth'] === 'require';
  if (unset('tlsCertificate') !== unset('tlsKey')) problems.push('SLUICE_TLS_CERT and SLUICE_TLS_KEY go together; set both or none');
  if (require && (unset('tlsCertificate') || unset('tlsClientAuthority')))
    problems.push('SLUICE_TLS_CLIENT_AUTH=require needs SLUICE_TLS_CERT, SLUICE_TLS_KEY and SLUICE_TLS_CLIENT_CA');
  if (!require && values['tlsClientAuthority'] !== undefined && !unset('tlsClientAuthority'))
    problems.push('SLUICE_TLS_CLIENT_CA has no effect without SLUICE_TLS_CLIENT_AUTH=require');
  const audiences = values['oidcAudiences'];
  if (!unset('oidcIssuer') && Array.isArray(audiences) && audiences.length === 0)
    problems.push('SLUICE_OIDC_ISSUER needs SLUICE_OIDC_AUDIENCE, or a token for any other service would do');
  return problems;
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
