/**
 * Real clients that keep asking while something breaks. Each answer is compared with one that was read while nothing was broken; each
 * error must say that one may try again.
 */
import { expect, vi } from 'vitest';
import { demoUser, type JdbcClient, type LoadProgress, type PythonClients } from './clients.ts';

interface Question {
  readonly user: string;
  /** The first column's values differ from row to row. */
  readonly sql: string;
}

/** Scans over many endpoints, a scan of one partition under a row filter with masks, an aggregate, a join. */
const ADBC_QUESTIONS: readonly Question[] = [
  { user: 'steward', sql: 'SELECT order_id, customer_id, amount, status FROM demo.orders' },
  { user: 'analyst_eu', sql: 'SELECT order_id, order_date, amount, region, card_number FROM demo.orders' },
  { user: 'analyst_us', sql: 'SELECT customer_id, name, email, phone, birth_date FROM demo.customers ORDER BY customer_id' },
  {
    user: 'steward',
    sql: 'SELECT c.region, count(*) AS n, sum(o.amount) AS total FROM demo.orders o JOIN demo.customers c USING (customer_id) GROUP BY ALL',
  },
];
const JDBC_QUESTION: Question = {
  user: 'analyst_eu',
  sql: 'SELECT order_id, amount, region, card_number FROM demo.orders WHERE amount > 900',
};
const JDBC_CLIENTS = 2;
const PATIENCE = { timeout: 120_000, interval: 100 };

/** What says that nothing is wrong with the question: gRPC's UNAVAILABLE, ABORTED for a plan that is out of date, RESOURCE_EXHAUSTED for a full server. */
const RETRYABLE = /\bunavailable\b|resource_?exhausted|\baborted\b/i;

/** What went wrong, without what differs from run to run. */
function withoutNumbers(text: string): string {
  return text.replace(/\d+/g, 'N').slice(0, 300);
}

export function isRetryable(text: string): boolean {
  return RETRYABLE.test(text);
}

export class FaultClients {
  readonly #python: PythonClients;
  readonly #jdbc: JdbcClient;
  #digest = '';

  constructor(python: PythonClients, jdbc: JdbcClient) {
    this.#python = python;
    this.#jdbc = jdbc;
  }

  /** Learns the right answers from a server that nothing happens to. */
  async learn(port: number): Promise<void> {
    for (const question of ADBC_QUESTIONS) await this.expected(port, question);
    await this.#jdbc.connect(port, demoUser(JDBC_QUESTION.user));
    this.#digest = await this.#jdbc.digest(JDBC_QUESTION.sql);
  }

  /** The right answer's number of rows. */
  expected(port: number, { user, sql }: Question): Promise<number> {
    return this.#python.call<number>('fleet_expect', { uri: `grpc://127.0.0.1:${port}`, ...demoUser(user), sql });
  }

  /** Clients against this port until it is stopped; resolves when each of them has got a right answer. */
  async load(port: number): Promise<FaultLoad> {
    const clients = ADBC_QUESTIONS.map(({ user, sql }) => ({ ...demoUser(user), sql }));
    await this.#python.call('load_start', { id: 'load', uri: `grpc://127.0.0.1:${port}`, clients });
    await this.#jdbc.loadStart(port, demoUser(JDBC_QUESTION.user), JDBC_QUESTION.sql, this.#digest, JDBC_CLIENTS);
    const load = new FaultLoad(this.#python, this.#jdbc);
    await load.everybodyIsServed();
    return load;
  }
}

class FaultLoad {
  readonly #python: PythonClients;
  readonly #jdbc: JdbcClient;

  constructor(python: PythonClients, jdbc: JdbcClient) {
    this.#python = python;
    this.#jdbc = jdbc;
  }

  /** Waits until each client has got another right answer. */
  async everybodyIsServed(): Promise<void> {
    const before = await this.progress();
    const waiting = async (): Promise<number> =>
      (await this.progress()).right.filter((count, index) => count <= (before.right[index] ?? 0)).length;
    await vi.waitFor(async () => expect(await waiting(), 'clients without a right answer').toBe(0), PATIENCE);
  }

  /** Waits until some client has met the fault. */
  async somebodyFails(): Promise<void> {
    const count = async (): Promise<number> => Object.values((await this.progress()).failures).reduce((sum, n) => sum + n, 0);
    const before = await count();
    await vi.waitFor(async () => expect(await count(), 'failures').toBeGreaterThan(before), PATIENCE);
  }

  async progress(): Promise<LoadProgress> {
    return sum(await this.#python.call<LoadProgress>('load_progress', { id: 'load' }), await this.#jdbc.loadProgress());
  }

  /** Ends the clients, prints what they got, and fails on a wrong answer or an error that does not say that one may try again. */
  async stop(fault: string): Promise<LoadProgress> {
    const [adbc, jdbc] = await Promise.all([this.#python.call<LoadProgress>('load_stop', { id: 'load' }), this.#jdbc.loadStop()]);
    const all = sum(adbc, jdbc);
    report(fault, all);
    expect(all.wrong, 'wrong answers').toBe(0);
    expect(Object.keys(all.failures).filter((text) => !isRetryable(text))).toEqual([]);
    return all;
  }
}

function sum(a: LoadProgress, b: LoadProgress): LoadProgress {
  const failures = new Map(Object.entries(a.failures));
  for (const [text, count] of Object.entries(b.failures)) failures.set(text, (failures.get(text) ?? 0) + count);
  return { right: [...a.right, ...b.right], wrong: a.wrong + b.wrong, failures: Object.fromEntries(failures) };
}

/** One line: what happened to whom. */
export function report(fault: string, { right, wrong, failures }: LoadProgress): void {
  const total = (counts: readonly number[]): number => counts.reduce((a, b) => a + b, 0);
  const kinds = new Set(Object.keys(failures).map(withoutNumbers));
  const errors = `${total(Object.values(failures))} errors that may be retried (${kinds.size} kinds)`;
  process.stdout.write(`fault: ${fault}: ${total(right)} right answers, ${errors}, ${wrong} wrong\n`);
}
