/** This process in its fleet: how a worker announces itself, and how a planner finds workers for tasks and reaches them. */
import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { Fleet, FleetMember, WorkerNode } from './catalog/index.ts';
import type { ClusterKeys } from './cluster-keys.ts';
import type { Config } from './config.ts';
import { fail } from './errors.ts';
import { channelCredentials, createProxy, createRemote, type SqlMethodsOptions, type TicketProxy } from './flight/index.ts';
import type { QueryTask, Task } from './model.ts';
import { locationsOf, placementKey, rank } from './planner/index.ts';
import { bracketed } from './setting-values.ts';
import { VERSION } from './version.ts';
import { TICKET_VERSION, taskVersion } from './wire/index.ts';

/**
 * A node with another key would refuse what the others seal. Asked at the start, and by a worker again once it has announced itself:
 * of two that start at once, one at least sees the other. Rejects with config.invalid.
 */
export async function requireClusterKey({ check }: Pick<ClusterKeys, 'check'>, fleet: Pick<Fleet, 'members'>): Promise<void> {
  const others = (await fleet.members()).filter(({ alive, keyCheck }) => alive && keyCheck !== '' && keyCheck !== check);
  if (others.length > 0)
    fail('config.invalid', 'SLUICE_CLUSTER_KEY is not the key of the nodes that serve; to change it, stop them all first');
}

/** Where this process is reached. */
export function locationOf({ advertise, tlsCertificate, flightHost }: Config, port: number): string {
  const location = advertise ?? `${tlsCertificate === null ? 'grpc' : 'grpc+tls'}://${bracketed(flightHost)}:${port}`;
  return location.replace(/:0$/, `:${port}`);
}

export function announcement(config: Config, location: string, keyCheck: string): WorkerNode {
  const { cluster, zone, streamsMax: capacity } = config;
  return { id: randomUUID(), cluster, location, zone, capacity, version: VERSION, ticketVersion: TICKET_VERSION, keyCheck };
}

/** Locations for the endpoints of one plan; answers that are in the ticket already, and commands, stay with the planner. */
export function placeOn(fleet: Fleet, self: () => string): (tasks: readonly Task[]) => readonly (readonly string[])[] {
  return (tasks) => {
    const queries = tasks.filter((task) => task.kind === 'query');
    const [first] = queries;
    if (first === undefined || queries.length < tasks.length) return tasks.map(() => []);
    // All shares of one plan are made alike.
    return locationsOf(queries.map(placementKey), candidates(fleet, first), self());
  };
}

/** While a cluster is upgraded, some of its workers do not understand every task yet. */
function candidates(fleet: Fleet, task: Task): readonly FleetMember[] {
  const needed = taskVersion(task);
  return fleet.workers().filter(({ ticketVersion }) => ticketVersion >= needed);
}

export interface PlannerProxy extends AsyncDisposable, TicketProxy {}

/** Reads from the workers for clients that follow no location. Rejects with config.invalid when the certificates do not read. */
export async function openProxy(
  config: Config,
  { fleet, ...parts }: Pick<SqlMethodsOptions, 'worker' | 'sealer'> & { readonly fleet: Fleet },
): Promise<PlannerProxy> {
  const plaintext = config.tlsCertificate === null || config.plaintextNetwork;
  const remote = createRemote(channelCredentials({ ...(await readCertificates(config)), plaintext }));
  const proxy = createProxy({
    ...parts,
    remote,
    cluster: config.cluster,
    clockSkewMs: skewOf(config),
    place: (task: QueryTask) => rank(placementKey(task), candidates(fleet, task)).map(({ location }) => location),
    live: () => fleet.workers().map(({ location }) => location),
    everywhere: () => fleet.everywhere(),
  });
  return { ...proxy, [Symbol.asyncDispose]: () => remote[Symbol.asyncDispose]() };
}

/** One node alone has one clock. */
export function skewOf({ metadataUrl, clockSkewMs }: Config): number {
  return metadataUrl === null ? 0 : clockSkewMs;
}

async function readCertificates({ tlsAuthority, tlsClientCertificate, tlsClientKey }: Config): Promise<{
  readonly authority: Buffer | null;
  readonly identity: { readonly certificate: Buffer; readonly key: Buffer } | null;
}> {
  try {
    const [authority, certificate, key] = await Promise.all(
      [tlsAuthority, tlsClientCertificate, tlsClientKey].map((path) => (path === null ? null : readFile(path))),
    );
    return { authority: authority ?? null, identity: certificate && key ? { certificate, key } : null };
  } catch (error) {
    return fail('config.invalid', 'SLUICE_TLS_CA, SLUICE_TLS_CLIENT_CERT or SLUICE_TLS_CLIENT_KEY does not read', error);
  }
}
