/** Builds every part from a Config and connects them; `main.ts` and the tests start the same server. */
import { join } from 'node:path';
import { type AuditLog, createAuditFile, createAuditLog } from './audit.ts';
import type { Authenticator } from './auth/index.ts';
import { openCaches } from './caches.ts';
import { createScratchStore, type ScratchStore, scratchDirectory } from './catalog/index.ts';
import { type ClusterKeys, openKeys } from './cluster-keys.ts';
import type { Config } from './config.ts';
import { DisposalStack } from './disposal.ts';
import { duckdbVersion } from './engine/index.ts';
import type { Connection } from './files.ts';
import { announcement, locationOf, openProxy, type PlannerProxy, placeOn, requireClusterKey, skewOf } from './fleet.ts';
import { createFlightServer, type FlightServer, sqlMethods, type TlsCredentials, workerMethods } from './flight/index.ts';
import { openIdentity, openTls } from './identity.ts';
import { type Metadata, type MetadataOptions, openMetadata } from './metadata.ts';
import type { Principal, Snapshot } from './model.ts';
import { createOperations, type Operations, openHttp, openReadiness } from './operations.ts';
import { createPlanner } from './planner/index.ts';
import { createSteward } from './steward.ts';
import { VERSION } from './version.ts';
import { createCommandRunner, createIngest, createWorker, type Worker } from './worker/index.ts';

export type StartOptions = MetadataOptions;

export interface SluiceServer extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
  /** Flight URI under which clients reach it. */
  readonly location: string;
  /** Of the metrics; null when they are off. */
  readonly httpPort: number | null;
  /** False when DoGet had to fall back to grpc-js's own writer. */
  readonly fastPath: boolean;
  /** The catalog and policy in force. */
  snapshot(): Snapshot;
  /** Lets running streams finish for `graceMs`, then ends them. */
  drain(graceMs: number): Promise<void>;
}

/** Rejects with SluiceError config.invalid or policy.invalid; nothing is left running then. */
export async function startServer(config: Config, options: StartOptions): Promise<SluiceServer> {
  const started = new DisposalStack();
  try {
    return await buildServer(config, options, started);
  } catch (error) {
    await started.dispose();
    throw error;
  }
}

async function buildServer(config: Config, options: StartOptions, started: DisposalStack): Promise<SluiceServer> {
  // Nobody asks for it before the port is bound.
  let location = '';
  const parts = await openParts(config, options, started, () => location);
  const { metadata, operations } = parts;
  const flight = started.add(await openFlight(config, parts, () => location));
  location = locationOf(config, flight.port);
  const readiness = started.add(openReadiness(config, metadata, options.logger));
  readiness.onChange((ready) => {
    flight.setServing(ready);
    // Out of reach: the heartbeat ends, which says the same.
    metadata.fleet.announce().catch(() => {});
  });
  const running = (): number => operations.admission.stats().running;
  if (config.role === 'worker') {
    const self = announcement(config, location, parts.keys.check);
    await metadata.fleet.join(self, () => ({ running: running(), serving: readiness.faults().length === 0 }));
    await requireClusterKey(parts.keys, metadata.fleet);
  }
  const http = await openHttp(config, operations, { metadata, readiness, streams: parts.proxy?.streams ?? null, logger: options.logger });
  if (http !== null) started.add(http);
  return {
    host: config.flightHost,
    port: flight.port,
    location,
    httpPort: http?.port ?? null,
    fastPath: flight.fastPath,
    snapshot: () => metadata.current().snapshot,
    drain: async (graceMs) => {
      readiness.drain();
      // Out of reach is as good as told: the heartbeat ends.
      await metadata.fleet.leave().catch(() => {});
      await flight.drain(graceMs);
    },
    [Symbol.asyncDispose]: () => started.dispose(),
  };
}

/** What lives below the Flight server. */
interface Parts {
  readonly options: StartOptions;
  readonly keys: ClusterKeys;
  readonly metadata: Metadata;
  readonly operations: Operations;
  readonly audit: AuditLog;
  readonly tls: TlsCredentials | null;
  readonly authenticator: Authenticator;
  readonly worker: Worker;
  /** Only at a planner: DoGet by the workers of its fleet. */
  readonly proxy: PlannerProxy | null;
}

async function openParts(config: Config, options: StartOptions, started: DisposalStack, location: () => string): Promise<Parts> {
  const keys = await openKeys(config);
  const { sealer } = keys;
  const scratch = started.add(await openScratch(config));
  const metadata = started.add(await openMetadata(config, keys, config.metadataUrl === null ? { ...options, scratch } : options));
  await requireClusterKey(keys, metadata.fleet);
  const operations = started.add(createOperations(config, options.logger));
  const audit = operations.metrics.meter(started.add<AuditLog>(await openAudit(config)));
  const tls = await openTls(config, options.logger);
  if (tls !== null) started.add(tls);
  const { authenticator, tokens } = await openIdentity(config, metadata, sealer, options.logger);
  const caches = started.add(await openCaches(config, { metadata, tokenKey: keys.token, logger: options.logger, location }));
  caches.observe(operations.metrics);
  const ports = {
    scratch,
    settled: metadata.settled,
    lease: (connections: readonly Connection[]) => metadata.pool.lease(connections),
    scans: { verify: metadata.storage.verify, relationFor: caches.relationFor },
    inForce: async (principal: Principal) => {
      const policy = metadata.current();
      return { snapshot: policy.snapshot, rights: await policy.forPrincipal(principal) };
    },
  };
  const worker = createWorker({
    ...ports,
    cluster: config.cluster,
    clockSkewMs: skewOf(config),
    sealer,
    admission: operations.admission,
    limits: operations.limits,
    results: caches.results,
    runCommand: createCommandRunner({
      ...ports,
      runTokenCommand: tokens.run,
      steward: createSteward(config, { metadata, operations, caches, location }),
    }),
    ingest: createIngest(ports),
  });
  const proxy = config.role === 'planner' ? started.add(await openProxy(config, { worker, sealer, fleet: metadata.fleet })) : null;
  return { options, keys, metadata, operations, audit, tls, authenticator, worker, proxy };
}

async function openFlight(config: Config, parts: Parts, location: () => string): Promise<FlightServer> {
  const { options, keys, metadata, operations, audit, tls, authenticator, worker, proxy } = parts;
  const { sealer } = keys;
  const planner = createPlanner({
    ...metadata.source,
    policy: async () => metadata.current(),
    sealer,
    cluster: config.cluster,
    ticketTtlMs: config.ticketTtlMs,
    clockSkewMs: skewOf(config),
    preparedTtlMs: config.sessionTtlMs,
    ...(config.role === 'planner' ? { place: placeOn(metadata.fleet, location) } : {}),
  });
  const methods = methodsOf[config.role]({
    planner: operations.limited(planner),
    worker,
    ...(proxy === null ? {} : { redeem: proxy.redeem, cancel: proxy.cancel }),
    sealer,
    // Client libraries choose their dialect by it.
    version: `duckdb ${duckdbVersion()} (Sluice ${VERSION})`,
    preparedTtlMs: config.sessionTtlMs,
    statementBytesMax: config.sqlBytesMax,
    sessionIdleMs: config.sessionOptionsTtlMs,
    secureCookies: tls !== null,
  });
  return createFlightServer({
    host: config.flightHost,
    port: config.flightPort,
    methods,
    ...(tls === null ? {} : { credentials: tls.credentials }),
    authenticator,
    audit,
    probes: operations.metrics.meter(createAuditLog(() => {})),
    logger: options.logger,
    maxMessageBytes: 16 * 1024 ** 2,
    connections: config,
  });
}

const methodsOf = { all: sqlMethods, planner: sqlMethods, worker: workerMethods };

async function openAudit({ auditLog, stateDirectory }: Config): Promise<AuditLog> {
  if (auditLog === 'stdout') return createAuditLog((line) => process.stdout.write(`${line}\n`));
  return createAuditFile(auditLog ?? join(stateDirectory, 'audit.jsonl'));
}

function openScratch({ scratchDirectory: directory, scratchTables, scratchBytes, stateDirectory, queryMs }: Config): Promise<ScratchStore> {
  return createScratchStore({
    directory: directory ?? scratchDirectory(stateDirectory),
    tablesMax: scratchTables,
    bytesMax: scratchBytes,
    lingerMs: queryMs,
  });
}
