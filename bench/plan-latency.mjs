/**
 * What a plan costs by the number of a dataset's files: GetFlightInfo of a real server over file indexes that name files which nobody has. Planning
 * asks the index alone; a plan that asked the store would find nothing there and fail.
 */
import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { createFileIndexStore, createIndexFiles, sourceHash } from '#src/catalog/index.js';
import { writePolicySet } from '../test/support/policy-set.mjs';
import { startNode } from './fleet-services.mjs';
import { CLUSTER_KEY } from './policies.mjs';

const REGIONS = ['AMER', 'APAC', 'EMEA', 'EU', 'UK'];
const EVENTS_PER_FILE = 10_000;
const USER = { user: 'analyst', password: 'analyst-demo' };
const COLUMNS = { event_id: 'BIGINT', amount: 'DECIMAL(12,2)', card: 'VARCHAR', note: 'VARCHAR', day: 'DATE', region: 'VARCHAR' };

/** More days for more files, so that a day of one region stays a handful. */
function daysOf(files) {
  return Math.max(1, Math.round(Math.sqrt(files / REGIONS.length) * 2));
}

function dayText(day) {
  return new Date(Date.UTC(2020, 0, 1 + day)).toISOString().slice(0, 10);
}

function filesOf(prefix, count) {
  const days = daysOf(count);
  const files = Array.from({ length: count }, (_, number) => {
    const day = Math.floor((number * days) / count);
    const region = REGIONS[number % REGIONS.length];
    const range = { min: String(number * EVENTS_PER_FILE), max: String((number + 1) * EVENTS_PER_FILE - 1), hasNull: false };
    const rowGroups = [{ rows: EVENTS_PER_FILE, bytes: 8_000_000, ranges: [range] }];
    const path = `${prefix}day=${dayText(day)}/region=${region}/part-${String(number).padStart(6, '0')}.parquet`;
    return {
      path,
      bytes: 8_000_000,
      version: `"${number.toString(16).padStart(32, '0')}"`,
      variant: 0,
      partition: [dayText(day), region],
      rowGroups,
    };
  });
  return files.sort((a, b) => (a.path < b.path ? -1 : 1));
}

function datasetOf(count) {
  return { name: `events.f${count}`, folder: `files-${count}`, pattern: `files-${count}/**/*.parquet` };
}

function writePolicies(directory, connection, counts) {
  const columns = Object.fromEntries(Object.entries(COLUMNS).map(([name, type]) => [name, { type }]));
  writePolicySet(directory, {
    catalog: {
      catalog: 'bench',
      defaultSchema: 'events',
      connections: { lake: connection },
      datasets: Object.fromEntries(counts.map(datasetOf).map(({ name, pattern }) => [name, { parquet: pattern, hive: true, columns }])),
    },
    users: { analyst: { roles: ['analyst'], attributes: { region: ['EU'] } } },
    grants: [['analyst', 'events.*', 'select']],
    rowFilters: [{ id: 'own-region', roles: ['analyst'], filter: 'region IN (principal.region)' }],
    masks: [{ id: 'card', roles: ['analyst'], columns: ['card'], mask: 'token' }],
  });
}

async function writeIndexes(state, connection, counts) {
  const store = createFileIndexStore({ backend: createIndexFiles(join(state, 'indexes')), onProblems: () => {} });
  for (const count of counts) {
    const { name, folder, pattern } = datasetOf(count);
    const index = {
      dataset: name,
      source: sourceHash({ kind: 'parquet', connection: 'lake', path: connection.url + pattern, hivePartitioning: true }),
      indexedAtMs: Date.now(),
      partitionColumns: ['day', 'region'],
      rangeColumns: ['event_id'],
      variants: [Object.entries(COLUMNS).map(([column, type]) => ({ name: column, type }))],
      files: filesOf(`${connection.url}${folder}/`, count),
    };
    await store.put(index, null);
  }
}

/** Another day and another literal each time: no plan is a repeat of one before. */
function narrow(count, time) {
  const day = (time * 7) % daysOf(count);
  return `SELECT event_id, amount, card FROM events.f${count} WHERE day = DATE '${dayText(day)}' AND amount > ${time}`;
}

function readBy(count, plans) {
  const files = filesOf('', count).filter(({ partition }) => partition[1] === 'EU');
  const reads = Array.from(
    { length: plans },
    (_, time) => files.filter(({ partition }) => partition[0] === dayText((time * 7) % daysOf(count))).length,
  );
  return Math.max(...reads);
}

/** `ask` as of client.py. Gives rows of `filesTable`. */
export async function measurePlans({ counts, plans, lake, scratch, start, ask, say }) {
  const directory = mkdtempSync(join(scratch, 'plans-'));
  const settings = {
    SLUICE_STATE_DIR: join(directory, 'state'),
    SLUICE_POLICIES: join(directory, 'policies'),
    SLUICE_CLUSTER_KEY: CLUSTER_KEY,
  };
  writePolicies(settings.SLUICE_POLICIES, lake.connection, counts);
  await writeIndexes(settings.SLUICE_STATE_DIR, lake.connection, counts);
  const server = await start(startNode('Sluice', scratch, { ...lake.nodes, ...settings }));
  const rows = [];
  for (const count of counts) {
    const whole = {
      label: 'all of one region',
      read: Math.ceil(count / REGIONS.length),
      times: Math.max(3, plans / 10),
      sql: (time) => `SELECT event_id + ${time} AS id FROM events.f${count}`,
    };
    const one = { label: 'one day of one region', read: readBy(count, plans), times: plans, sql: (time) => narrow(count, time) };
    for (const { label, read, times, sql } of [one, whole]) {
      const latencies = [];
      // The first loads the index; it counts as little as the start of the process does.
      for (let time = -1; time < times; time++) {
        const { wall_s } = await ask({ uri: server.uri, sql: sql(time + 1), ...USER, plan: true });
        if (time >= 0) latencies.push(wall_s * 1000);
      }
      rows.push({ label, files: count, read, latencies });
      say(`  ${count} files, ${label}: ${latencies.length} plans`);
    }
  }
  return rows;
}
