/** What the methods of Sluice's Flight SQL service share. */
import type { Planner } from '../planner/index.ts';
import type { CancelStatus, Sealer } from '../wire/index.ts';
import type { Redeemed, Worker } from '../worker/index.ts';
import type { Bindings } from './bindings.ts';
import type { Polls } from './polls.ts';
import type { Rpc } from './rpc.ts';
import type { Sessions } from './session-options.ts';
import type { InfoValue } from './sql-info.ts';

/** How DoGet turns a sealed ticket into batches: by the worker of this process, or by another one. */
export type Redeem = (rpc: Rpc, sealed: Uint8Array) => Promise<Redeemed>;

/** Ends what runs for these sealed tickets of the caller, wherever that is, and refuses them from now on. Rejects with ticket.*. */
export type Cancel = (rpc: Rpc, sealed: readonly Uint8Array[]) => Promise<CancelStatus>;

export interface Services {
  readonly planner: Planner;
  readonly worker: Worker;
  readonly redeem: Redeem;
  readonly cancel: Cancel;
  readonly sealer: Sealer;
  readonly sqlInfo: ReadonlyMap<number, InfoValue>;
  readonly sessions: Sessions;
  readonly bindings: Bindings;
  readonly polls: Polls;
  readonly now: () => number;
}
