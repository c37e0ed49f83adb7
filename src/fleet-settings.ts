/** The settings of nodes that work together: names, heartbeats, health and how planners reach workers. Part of the table in settings.ts. */
import {
  duration,
  durationUpTo,
  nonEmpty,
  oneOf,
  optional,
  parseCluster,
  parseKey,
  parseLocation,
  parseMetadata,
  path,
} from './setting-values.ts';
import type { Setting } from './settings.ts';

export const FLEET_SETTINGS: Readonly<Record<string, Setting>> = {
  SLUICE_ROLE: {
    key: 'role',
    default: 'all',
    parse: oneOf('all', 'planner', 'worker'),
    doc: 'What this process does: `all` plans and serves; `planner` plans and sends clients to the workers; `worker` serves tickets.',
  },
  SLUICE_ADVERTISE: {
    key: 'advertise',
    default: '',
    parse: parseLocation,
    doc: 'Flight URI under which clients and planners reach this process, `grpc://…` or `grpc+tls://…`; port 0 stands for the one listened on. Empty: the address listened on.',
  },
  SLUICE_ZONE: {
    key: 'zone',
    default: 'default',
    parse: nonEmpty,
    doc: 'Where this process runs, shown beside it in the list of workers.',
  },
  SLUICE_CLUSTER: {
    key: 'cluster',
    default: 'local',
    parse: parseCluster,
    doc: 'Name of this cluster: lower-case letters, digits and `-`. Tickets are valid within it, and grants may be limited to it.',
  },
  SLUICE_CLUSTER_KEY: {
    key: 'clusterKey',
    default: '',
    secret: true,
    parse: parseKey,
    doc: '32 bytes in base64 that seal tickets and sessions and key the tokens. Empty: made once in the state directory.',
  },
  SLUICE_METADATA: {
    key: 'metadataUrl',
    default: 'files',
    secret: true,
    parse: parseMetadata,
    doc: 'Where the policy set lives: `files` (the policy directory), or `postgres://…`, which all clusters share.',
  },
  SLUICE_METADATA_GRACE: {
    key: 'metadataGraceMs',
    default: '15m',
    parse: duration(0),
    doc: 'How long the last policy set stays in force while the metadata database is out of reach; then nothing is planned.',
  },
  SLUICE_HEARTBEAT: {
    key: 'heartbeatMs',
    default: '2s',
    parse: durationUpTo(60_000, 50),
    doc: 'How often a worker announces itself in the metadata, and how often every node looks there without being told.',
  },
  SLUICE_HEARTBEAT_MAX: {
    key: 'aliveMs',
    default: '10s',
    parse: durationUpTo(3_600_000, 150),
    doc: 'A worker whose last heartbeat is older, by the clock of the database, gets no new tasks. At least three heartbeats.',
  },
  SLUICE_HEALTH_INTERVAL: {
    key: 'healthMs',
    default: '5s',
    parse: durationUpTo(3_600_000, 50),
    doc: 'How often a worker looks whether it reaches the storage of its datasets; two failures on end make it NOT_SERVING until it does.',
  },
  SLUICE_TLS_CA: {
    key: 'tlsAuthority',
    default: '',
    parse: optional(path),
    doc: "PEM file of the authorities above the workers' certificates, for planners. Empty: those of Node.js.",
  },
  SLUICE_TLS_CLIENT_CERT: {
    key: 'tlsClientCertificate',
    default: '',
    parse: optional(path),
    doc: 'PEM file with the certificate that a planner shows to workers with SLUICE_TLS_CLIENT_AUTH=require. It names no user of users.yaml.',
  },
  SLUICE_TLS_CLIENT_KEY: {
    key: 'tlsClientKey',
    default: '',
    parse: optional(path),
    doc: 'PEM file with the private key of that certificate.',
  },
};
