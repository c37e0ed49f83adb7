import { describe, expect, test } from 'vitest';
import type { Fleet, FleetMember } from '#src/catalog/index.js';
import { type Config, readConfig } from '#src/config.js';
import { announcement, locationOf, placeOn, requireClusterKey, skewOf } from '#src/fleet.js';
import { PLAIN_FORM, type QueryTask, type Task } from '#src/model.js';
import { TICKET_VERSION } from '#src/wire/index.js';

const PLANNER = 'grpc://planner:8815';
const PLAIN: QueryTask = {
  kind: 'query',
  catalog: { name: 'p_1', defaultSchema: 'demo', statements: [] },
  statements: ['SELECT 1'],
  datasets: ['d1'],
  form: PLAIN_FORM,
  schema: new Uint8Array(),
};
const SCANNING: QueryTask = { ...PLAIN, catalog: { ...PLAIN.catalog, scans: [] } };

function member(id: string, ticketVersion: number): FleetMember {
  const known = { cluster: 'west', zone: 'a', capacity: 4, version: '1', running: 0, heartbeatAtMs: 0, alive: true, keyCheck: '' };
  return { ...known, id, location: `grpc://${id}:8815`, ticketVersion };
}

const fleetOf = (...members: FleetMember[]): Fleet => ({ workers: () => members }) as Partial<Fleet> as Fleet;
const placeOnto = (...members: FleetMember[]) => {
  const place = placeOn(fleetOf(...members), () => PLANNER);
  return (task: Task): readonly string[] => place([task])[0] ?? [];
};
const config = (settings: Readonly<Record<string, string>>): Config => readConfig([], settings);

test('a task goes to workers whose release understands it, and the rest to all', () => {
  const place = placeOnto(member('old', 1), member('new', 2), member('later', 3));
  expect([...place(SCANNING)].sort()).toEqual(['grpc://later:8815', 'grpc://new:8815', PLANNER]);
  expect(place(PLAIN)).toHaveLength(3);
  expect(placeOnto(member('old', 1))(SCANNING)).toEqual([]);
  expect(placeOnto(member('old', 1))(PLAIN)).toEqual(['grpc://old:8815', PLANNER]);
});

test('what needs no rows stays with the planner', () => {
  const place = placeOnto(member('new', 2));
  expect(place({ kind: 'inline', ipc: new Uint8Array() })).toEqual([]);
  expect(place({ kind: 'command', command: { kind: 'none' }, query: SCANNING })).toEqual([]);
});

test('the shares of one scan keep every worker busy', () => {
  const place = placeOn(fleetOf(member('w1', 2), member('w2', 2), member('w3', 2)), () => PLANNER);
  const shares = Array.from({ length: 6 }, (_, i) => ({ ...SCANNING, datasets: [`d${i}`] }));
  const chosen = place(shares).map(([first]) => first);
  expect(['w1', 'w2', 'w3'].map((id) => chosen.filter((uri) => uri === `grpc://${id}:8815`).length)).toEqual([2, 2, 2]);
});

test.each([
  [{}, 'grpc://127.0.0.1:4711'],
  [{ SLUICE_FLIGHT_LISTEN: '[::1]:0' }, 'grpc://[::1]:4711'],
  [{ SLUICE_ADVERTISE: 'grpc+tls://w1.example:9000' }, 'grpc+tls://w1.example:9000'],
  [{ SLUICE_ADVERTISE: 'grpc://w1.example:0' }, 'grpc://w1.example:4711'],
])('with %j it is reached at %s', (settings, expected) => {
  expect(locationOf(config(settings), 4711)).toBe(expected);
});

test('a worker says which tickets it understands', () => {
  const self = announcement(config({ SLUICE_CLUSTER: 'adhoc-1', SLUICE_ZONE: 'b', SLUICE_MAX_STREAMS: '7' }), 'grpc://w1:1', 'k');
  expect(self).toMatchObject({
    cluster: 'adhoc-1',
    zone: 'b',
    capacity: 7,
    location: 'grpc://w1:1',
    ticketVersion: TICKET_VERSION,
    keyCheck: 'k',
  });
});

test('clocks may differ between nodes, and one node has one clock', () => {
  expect(skewOf(config({}))).toBe(0);
  expect(skewOf(config({ SLUICE_METADATA: 'postgres://db.example/meta', SLUICE_CLOCK_SKEW: '5s' }))).toBe(5000);
});

describe('the key of all nodes', () => {
  const world = (...members: readonly FleetMember[]) => ({ members: async () => members });
  const withKey = (id: string, keyCheck: string, more: Partial<FleetMember> = {}): FleetMember => ({ ...member(id, 1), keyCheck, ...more });

  test('may be any while no worker of another one serves', async () => {
    for (const fleet of [world(), world(withKey('w', '')), world(withKey('w', 'a')), world(withKey('w', 'b', { alive: false }))])
      await requireClusterKey({ check: 'a' }, fleet);
  });

  test('is kept while a worker of any cluster serves', async () => {
    const fleet = world(withKey('w', 'a'), withKey('x', 'b', { cluster: 'east' }));
    await expect(requireClusterKey({ check: 'a' }, fleet)).rejects.toMatchObject({ code: 'config.invalid' });
  });
});
