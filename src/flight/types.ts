/** What the methods of Sluice's Flight SQL service share. */
import type { Planner } from '../planner/index.ts';
import type { Sealer } from '../wire/index.ts';
import type { Worker } from '../worker/index.ts';
import type { Bindings } from './bindings.ts';
import type { Polls } from './polls.ts';
import type { Sessions } from './session-options.ts';
import type { InfoValue } from './sql-info.ts';

export interface Services {
  readonly planner: Planner;
  readonly worker: Worker;
  readonly sealer: Sealer;
  readonly sqlInfo: ReadonlyMap<number, InfoValue>;
  readonly sessions: Sessions;
  readonly bindings: Bindings;
  readonly polls: Polls;
  readonly now: () => number;
}
