/** Sealed ticket → record batches. Decides nothing: it only checks that the decision inside still holds (invariants I3, I10). */
import { randomUUID } from 'node:crypto';
import { fail } from '../errors.ts';
import type { Connection } from '../files.ts';
import type { BatchSource, Command, Principal, QueryTask, Task } from '../model.ts';
import { checkInForce, openTicket, type Sealer, type Ticket } from '../wire/index.ts';
import type { Admission } from './admission.ts';
import { changedRows, commandIpc } from './command-result.ts';
import { createOnce } from './once.ts';
import type { LimitedRun, QueryLimits } from './query-limits.ts';
import { startQuery } from './redeem.ts';
import type { ResultCache } from './result-cache.ts';
import { createRunningQueries, type Running } from './running.ts';
import { filesOf, type ScanPorts } from './scans.ts';
import { inlineSource, onDispose } from './sources.ts';
import type { CommandResult, CommandRunner, EngineLease, Ingest, OpenedTask, PolicyInForce, Worker } from './types.ts';

export interface WorkerOptions {
  readonly cluster: string;
  readonly sealer: Sealer;
  /** The engine that serves these connections. */
  readonly lease: (connections: readonly Connection[]) => Promise<EngineLease>;
  readonly scans: ScanPorts;
  /** Left out = every result is computed. */
  readonly results?: Pick<ResultCache, 'open'>;
  readonly inForce: (principal: Principal) => Promise<PolicyInForce>;
  readonly admission: Pick<Admission, 'admit'>;
  readonly limits: Pick<QueryLimits, 'start'>;
  readonly runCommand: CommandRunner;
  readonly ingest: Ingest;
  /** How far the clock of who made a ticket may be behind, milliseconds. */
  readonly clockSkewMs?: number;
  readonly now?: () => number;
}

type CommandTask = Extract<Task, { kind: 'command' }>;

/** A ticket that passed its checks and holds a place. */
interface Turn {
  readonly ticket: Ticket;
  readonly principal: Principal;
  readonly policy: PolicyInForce;
  readonly signal: AbortSignal;
}

/** These may run again. */
const CHANGES_NOTHING: ReadonlySet<Command['kind']> = new Set(['none', 'showTokens', 'showWorkers', 'showCache']);

export function createWorker(options: WorkerOptions): Worker {
  return new TicketWorker(options);
}

class TicketWorker implements Worker {
  readonly #options: WorkerOptions;
  readonly #now: () => number;
  readonly #running: ReturnType<typeof createRunningQueries>;
  readonly #once: ReturnType<typeof createOnce<CommandResult>>;

  constructor(options: WorkerOptions) {
    this.#options = options;
    const { now = Date.now, clockSkewMs = 0 } = options;
    // What is remembered until a ticket expires is remembered as long as it is taken.
    this.#now = () => now() - clockSkewMs;
    this.#running = createRunningQueries(this.#now);
    this.#once = createOnce<CommandResult>(this.#now);
  }

  readonly redeem: Worker['redeem'] = async (sealed, principal, signal) => {
    const ticket = this.#open(sealed, principal);
    const { result, run, end } = await this.#take(ticket, principal, signal, (turn) => this.#start(turn));
    return { task: openedTask(ticket), source: onDispose(run.count(result), end), ended: run.signal };
  };

  readonly execute: Worker['execute'] = async (sealed, principal, signal) => {
    const ticket = this.#open(sealed, principal);
    const { task } = ticket;
    if (task.kind !== 'command') fail('request.malformed', 'this statement is a query: read its rows instead of running it as an update');
    const { result, end } = await this.#take(ticket, principal, signal, (turn) => this.#command(task, turn));
    end();
    return { task: openedTask(ticket), rows: changedRows(result) };
  };

  readonly ingest: Worker['ingest'] = async (request, principal, messages, signal) => {
    const queryId = randomUUID();
    const permit = await this.#options.admission.admit({ principal: principal.subject, queryId }, signal);
    const run = this.#options.limits.start(queryId, signal);
    try {
      const policy = await this.#options.inForce(principal);
      return await this.#options.ingest({ request, principal, policy, messages, signal: run.signal });
    } catch (error) {
      throw run.signal.aborted ? run.signal.reason : error;
    } finally {
      run.end();
      permit.release();
    }
  };

  readonly track: Worker['track'] = (query, signal) => this.#running.start(query, signal);

  readonly cancel: Worker['cancel'] = async (sealed, principal) => this.#running.cancel(this.#open(sealed, principal));

  #open(sealed: Uint8Array, principal: Principal): Ticket {
    const { sealer, cluster } = this.#options;
    return openTicket(sealer, sealed, { cluster, subject: principal.subject, nowMs: this.#now() });
  }

  /** Waits for the query's place, then checks the policy, so that it is in force when the work begins. Call `end` on every exit. */
  async #take<T>(
    ticket: Ticket,
    principal: Principal,
    signal: AbortSignal,
    work: (turn: Turn) => Promise<T>,
  ): Promise<{ readonly result: T; readonly run: LimitedRun; readonly end: () => void }> {
    const held: { release(): void }[] = [];
    const end = (): void => {
      for (const { release } of held.splice(0).reverse()) release();
    };
    let ended = signal;
    try {
      const running: Running = this.#running.start(ticket, signal);
      held.push({ release: running.end });
      held.push(await this.#options.admission.admit({ principal: ticket.subject, queryId: ticket.queryId }, running.signal));
      const run = this.#options.limits.start(ticket.queryId, running.signal);
      held.push({ release: run.end });
      ended = run.signal;
      const policy = await this.#options.inForce(principal);
      checkInForce(ticket, policy);
      return { result: await work({ ticket, principal, policy, signal: run.signal }), run, end };
    } catch (error) {
      end();
      // What the engine says then only follows from it.
      throw ended.aborted ? ended.reason : error;
    }
  }

  async #start(turn: Turn): Promise<BatchSource> {
    const { task } = turn.ticket;
    switch (task.kind) {
      case 'inline':
        return inlineSource(task.ipc, turn.signal);
      case 'query':
        return this.#query(task, turn);
      case 'command':
        return inlineSource(commandIpc(task.command, await this.#command(task, turn)), turn.signal);
    }
  }

  #query(task: QueryTask, { policy, signal }: Turn): Promise<BatchSource> {
    const { lease, scans, results } = this.#options;
    const { connections, datasets } = policy.snapshot;
    const start = (ended: AbortSignal): Promise<BatchSource> =>
      startQuery(task, { connections, scans, lease: () => lease(connections) }, ended);
    if (results === undefined) return start(signal);
    const verify = (): Promise<void> => scans.verify(connections, filesOf(task.catalog.scans ?? []));
    return results.open({ task, datasets, connections, verify, start, signal });
  }

  #command({ command, query }: CommandTask, { ticket, principal, policy, signal }: Turn): Promise<CommandResult> {
    const run = (): Promise<CommandResult> => this.#options.runCommand({ command, query, principal, policy, signal });
    return CHANGES_NOTHING.has(command.kind) ? run() : this.#once.run(ticket, run);
  }
}

function openedTask({ queryId, statement, epoch, fingerprint }: Ticket): OpenedTask {
  return { queryId, statement, epoch, fingerprint };
}
