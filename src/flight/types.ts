/** What the methods of Sluice's Flight SQL service share. */
import type { Planner } from '../planner/index.ts';
import type { Sealer } from '../wire/index.ts';
import type { Redeemed, Worker } from '../worker/index.ts';
import type { Bindings } from './bindings.ts';
import type { Polls } from './polls.ts';
import type { Rpc } from './rpc.ts';
import type { Sessions } from './session-options.ts';
import type { InfoValue } from './sql-info.ts';

/** How DoGet turns a sealed ticket into batches: by the worker of this process, or by another one. */
export type Redeem = (rpc: Rpc, sealed: Uint8Array) => Promise<Redeemed>;

export interface Services {
  readonly planner: Planner;
  readonly worker: Worker;
  readonly redeem: Redeem;
  readonly sealer: Sealer;
  readonly sqlInfo: ReadonlyMap<number, InfoValue>;
  readonly sessions: Sessions;
  readonly bindings: Bindings;
  readonly polls: Polls;
  readonly now: () => number;
}
