/** What must become true of a fleet once nothing is broken any more; awaited, never assumed after a pause. */
import { expect, vi } from 'vitest';
import type { FleetNode } from './fleet-node.ts';
import { connectFlight } from './flight-client.ts';
import type { Topology } from './topology.ts';

const PATIENCE = { timeout: 120_000, interval: 100 };
/** Listening sockets, the database, the engine's files, idle connections of clients and of the load balancer's checks. */
const OPEN_FILES_MAX = 200;

/** The load balancer uses every planner, and each planner knows every worker by the address that it has. */
export async function awaitWhole({ balancer, planners, workers }: Topology): Promise<void> {
  const locations = workers.map(({ location }) => location).sort();
  await vi.waitFor(() => expect(balancer.healthy()).toHaveLength(planners.length), PATIENCE);
  for (const { port } of planners) {
    await using steward = await connectFlight({ port, user: 'steward' });
    const known = async (): Promise<unknown[]> => (await steward.rows('SHOW WORKERS')).map((row) => row['location']).sort();
    await vi.waitFor(async () => expect(await known()).toEqual(locations), PATIENCE);
  }
}

/** Nobody asks anything: no query, stream, batch buffer or fetch is left at any node, and files and memory are bounded. */
export async function awaitAtRest(nodes: readonly FleetNode[], residentMbMax: number): Promise<void> {
  for (const node of nodes) await vi.waitFor(async () => expect(await held(node), node.name).toEqual(NOTHING), PATIENCE);
  for (const node of nodes) {
    await vi.waitFor(() => expect(node.process.openFiles(), `open files of ${node.name}`).toBeLessThan(OPEN_FILES_MAX), PATIENCE);
    expect(node.process.memory().residentMb, `resident memory of ${node.name}, MB`).toBeLessThan(residentMbMax);
  }
}

const GAUGES = [
  'queries_running',
  'queries_waiting',
  'plans_running',
  'streams_open',
  'engine_slots_in_use',
  'engine_jobs_running',
] as const;
const NOTHING = Object.fromEntries(GAUGES.map((name) => [name, 0]));

async function held(node: FleetNode): Promise<Readonly<Record<string, number | undefined>>> {
  const numbers = await node.scrape();
  return Object.fromEntries(GAUGES.map((name) => [name, numbers.value(`sluice_${name}`)]));
}
