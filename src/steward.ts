/** What the statements of whoever operates the server reach: each port is the part that knows. */
import type { Caches } from './caches.ts';
import type { Config } from './config.ts';
import { announcement } from './fleet.ts';
import type { Metadata } from './metadata.ts';
import type { Operations } from './operations.ts';
import type { FleetEntry, StewardPorts } from './worker/index.ts';

interface StewardParts {
  readonly metadata: Metadata;
  readonly operations: Operations;
  readonly caches: Pick<Caches, 'pin' | 'entries'>;
  /** Where this process is reached, once it is. */
  readonly location: () => string;
}

export function createSteward(config: Config, { metadata, operations, caches, location }: StewardParts): StewardPorts {
  return {
    register: (request, { subject: author }, signal) => metadata.datasets.register(request, { author, signal }),
    refresh: (dataset, signal) => metadata.datasets.refresh(dataset, { signal }),
    pin: caches.pin,
    workers: async () => {
      const entries: readonly FleetEntry[] = await metadata.fleet.members();
      // One process is its own only worker.
      return entries.length > 0
        ? entries
        : [{ ...announcement(config, location(), ''), running: operations.admission.stats().running, heartbeatAtMs: null, alive: true }];
    },
    cache: caches.entries,
  };
}
