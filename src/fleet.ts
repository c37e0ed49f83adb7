/** This process in its fleet: how a worker announces itself, and how a planner finds workers for tasks. */
import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { Fleet, WorkerNode } from './catalog/index.ts';
import type { Config } from './config.ts';
import { channelCredentials, createRemote, redeemElsewhere, type SqlMethodsOptions } from './flight/index.ts';
import type { QueryTask, Task } from './model.ts';
import { locationsOf, placementKey, rank } from './planner/index.ts';
import { bracketed } from './setting-values.ts';
import { VERSION } from './version.ts';

/** Where this process is reached. */
export function locationOf({ advertise, tlsCertificate, flightHost }: Config, port: number): string {
  return advertise ?? `${tlsCertificate === null ? 'grpc' : 'grpc+tls'}://${bracketed(flightHost)}:${port}`;
}

export function announcement(config: Config, location: string): WorkerNode {
  const { cluster, zone, streamsMax: capacity } = config;
  return { id: randomUUID(), cluster, location, zone, capacity, version: VERSION };
}

/** Locations for an endpoint; answers that are in the ticket already, and commands, stay with the planner. */
export function placeOn(fleet: Fleet, self: () => string): (task: Task) => readonly string[] {
  return (task) => (task.kind === 'query' ? locationsOf(placementKey(task), fleet.workers(), self()) : []);
}

export interface PlannerProxy extends AsyncDisposable {
  readonly redeem: NonNullable<SqlMethodsOptions['redeem']>;
}

/** Reads from the workers for clients that follow no location. Rejects when the authorities' file does not read. */
export async function openProxy(
  config: Config,
  { fleet, ...parts }: Pick<SqlMethodsOptions, 'worker' | 'sealer'> & { readonly fleet: Fleet },
): Promise<PlannerProxy> {
  const authority = config.tlsAuthority === null ? null : await readFile(config.tlsAuthority);
  const remote = createRemote(channelCredentials(authority, config.tlsCertificate === null || config.plaintextNetwork));
  const place = (task: QueryTask): readonly string[] => rank(placementKey(task), fleet.workers()).map(({ location }) => location);
  return {
    redeem: redeemElsewhere({ ...parts, remote, cluster: config.cluster, place }),
    [Symbol.asyncDispose]: () => remote[Symbol.asyncDispose](),
  };
}
