/** What the fleet's bench runs on: an S3 server that holds lineitem, PostgreSQL, and Sluice's nodes as processes on the cores they are given. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { HTTPFS_DIRECTORY, TESTBED } from '../test/support/testbed.mjs';
import { CLUSTER_KEY, writeBenchPolicies } from './policies.mjs';
import { startProcess } from './servers.mjs';
import { file } from './workspace.mjs';

const MAIN = file('../dist/main.js');
const BUCKET = 'bench';

/** Services of the tests, which `npm run bench:fleet` compiles first. */
const support = (name) => import(join(TESTBED, 'fleet', 'test', 'support', `${name}.js`));

/** An S3 server over a directory, with lineitem's files below `parts/`, and what its readers need to know. */
export async function startLake(parts) {
  const { startS3 } = await support('s3');
  const s3 = await startS3();
  await s3.createBucket(BUCKET);
  await s3.putDirectory(BUCKET, 'parts/', parts);
  const { accessKeyId, secretAccessKey } = s3.root;
  return {
    /** As catalog.yaml has it; the credentials are the process's own. */
    connection: { kind: 's3', url: `s3://${BUCKET}/`, region: s3.region, endpoint: s3.url, pathStyle: true },
    nodes: { SLUICE_EXTENSIONS: HTTPFS_DIRECTORY, AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey },
    peers: {
      BENCH_S3_ENDPOINT: `127.0.0.1:${s3.port}`,
      BENCH_S3_KEY: accessKeyId,
      BENCH_S3_SECRET: secretAccessKey,
      BENCH_HTTPFS: join(HTTPFS_DIRECTORY, 'httpfs.duckdb_extension'),
    },
    pattern: `s3://${BUCKET}/parts/*.parquet`,
    stop: () => s3[Symbol.asyncDispose](),
  };
}

/** Holds the bench's policies over the lake as the first revision. */
export async function startMetadata(lake, policies) {
  const { startPostgres } = await support('postgres');
  const postgres = await startPostgres();
  const settings = { ...lake.nodes, SLUICE_METADATA: postgres.url, SLUICE_CLUSTER_KEY: CLUSTER_KEY, SLUICE_POLICIES: policies };
  try {
    sluice(['policy', 'push', policies], settings);
    indexLineitem(settings);
  } catch (error) {
    await postgres[Symbol.asyncDispose]();
    throw error;
  }
  return { settings, stop: () => postgres[Symbol.asyncDispose]() };
}

/** Finds lineitem's columns and makes the index of its files, as a steward does once. */
export function indexLineitem(settings) {
  sluice(['dataset', 'register', 'tpch.lineitem', '--connection', 'files', '--path', 'parts'], settings);
}

function sluice(args, settings) {
  execFileSync(process.execPath, [MAIN, ...args], { env: { ...process.env, ...settings }, stdio: ['ignore', 'ignore', 'inherit'] });
}

export function writePolicies(scratch, lake, name = 'policies') {
  const policies = join(scratch, name);
  writeBenchPolicies(policies, lake.connection, 'parts');
  return policies;
}

/** One node with a new state directory. `cores` as taskset takes them; left out = all. */
export function startNode(name, scratch, settings, cores) {
  const env = {
    SLUICE_FLIGHT_LISTEN: '127.0.0.1:0',
    SLUICE_STATE_DIR: mkdtempSync(join(scratch, 'state-')),
    SLUICE_DRAIN: '1s',
    ...settings,
  };
  const command = [...pinned(cores), process.execPath, MAIN];
  return startProcess(name, command[0], command.slice(1), { env, ready: /grpc:\/\/127\.0\.0\.1:(\d+)/ });
}

/** The beginning of a command that keeps it on these cores. */
export function pinned(cores) {
  return cores === undefined ? [] : ['taskset', '--cpu-list', String(cores)];
}
