/**
 * Real clients as child processes: ADBC, pyarrow.flight, pandas, polars and DuckDB in one Python process (clients.py), JDBC in one Java process
 * (JdbcProbe.java). Needs `.testbed/`, which `npm test` fills. A client's error rejects with ClientError. Dispose ends the process.
 */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { JDBC_CLASSPATH, PYTHON } from './testbed.mjs';

/** Values in one vocabulary for every Python client; see `plain` in clients.py. JDBC gives every value as text. */
export interface Answer {
  readonly columns: readonly (readonly [name: string, type: string])[];
  readonly rows: readonly (readonly unknown[])[];
}

export class ClientError extends Error {
  readonly type: string;

  constructor(type: string, message: string) {
    super(message);
    this.type = type;
  }
}

export interface Identity {
  readonly user?: string;
  readonly password?: string;
}

/** Who calls, with the demo's password. */
export function demoUser(user: string): Identity {
  return { user, password: `${user}-demo` };
}

/** Line in, line out; requests are answered in order. */
class LineProcess {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #waiting: { resolve: (line: string) => void; reject: (error: Error) => void }[] = [];
  #stderr = '';

  constructor(command: string, args: readonly string[]) {
    this.#child = spawn(command, args, { stdio: 'pipe' });
    this.#child.stderr.on('data', (chunk: Buffer) => {
      this.#stderr = (this.#stderr + chunk.toString()).slice(-4000);
    });
    createInterface({ input: this.#child.stdout }).on('line', (line) => this.#waiting.shift()?.resolve(line));
    const end = (why: string): void => {
      for (const { reject } of this.#waiting.splice(0)) reject(new Error(`${command} ended: ${why}\n${this.#stderr}`));
    };
    this.#child.once('error', (error) => end(error.message));
    this.#child.once('close', (code, signal) => end(`code ${code}, signal ${signal}`));
    this.#child.stdin.on('error', () => {}); // reported by close
  }

  ask(line: string): Promise<string> {
    if (this.#child.exitCode !== null) return Promise.reject(new Error(`the client process has ended\n${this.#stderr}`));
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#child.stdin.write(`${line}\n`);
    });
  }

  async end(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const closed = new Promise((resolve) => this.#child.once('close', resolve));
    this.#child.stdin.end();
    const killer = setTimeout(() => this.#child.kill('SIGKILL'), 5000);
    await closed;
    clearTimeout(killer);
  }
}

export type PythonVerb =
  | 'adbc_query'
  | 'adbc_prepared'
  | 'adbc_statement'
  | 'flight_locations'
  | 'flight_naive'
  | 'pandas_read_sql'
  | 'polars_read_database';

export class PythonClients implements AsyncDisposable {
  readonly #process: LineProcess = new LineProcess(PYTHON, [fileURLToPath(new URL('clients.py', import.meta.url))]);

  /** Any verb of clients.py. */
  async call<T>(verb: string, options: Readonly<Record<string, unknown>> = {}): Promise<T> {
    const reply = JSON.parse(await this.#process.ask(JSON.stringify({ do: verb, ...options }))) as {
      value?: T;
      error?: { type: string; message: string };
    };
    if (reply.error !== undefined) throw new ClientError(reply.error.type, reply.error.message);
    return reply.value as T;
  }

  /** One query through one client. */
  query(verb: PythonVerb, port: number, identity: Identity, sql: string): Promise<Answer> {
    return this.call<Answer>(verb, { uri: `grpc://127.0.0.1:${port}`, ...identity, sql });
  }

  /** Plain DuckDB, after `setup`: the independent answer. */
  expected(sql: string, setup: readonly string[] = []): Promise<Answer> {
    return this.call<Answer>('duckdb_query', { sql, setup });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process.end();
  }
}

export interface JdbcAnswer {
  /** Label, type name, java.sql.Types code. */
  readonly columns: readonly (readonly [label: string, typeName: string, type: number])[];
  readonly rows: readonly (readonly (string | null)[])[];
}

export class JdbcClient implements AsyncDisposable {
  readonly #process: LineProcess = new LineProcess('java', [
    '-Xmx512m',
    '--add-opens=java.base/java.nio=ALL-UNNAMED',
    '-cp',
    JDBC_CLASSPATH,
    'JdbcProbe',
  ]);

  async #ask<T>(...fields: readonly string[]): Promise<T> {
    const reply = JSON.parse(await this.#process.ask(fields.map(encodeURIComponent).join('\t'))) as { value?: T; error?: string };
    if (reply.error !== undefined) throw new ClientError('SQLException', reply.error);
    return reply.value as T;
  }

  /** Replaces the open connection, if any. Gives the driver's version. */
  connect(port: number, identity: Identity, parameters: string = ''): Promise<string> {
    const url = `jdbc:arrow-flight-sql://127.0.0.1:${port}?useEncryption=false${parameters}`;
    return this.#ask<string>('connect', url, identity.user ?? '', identity.password ?? '');
  }

  statement(sql: string): Promise<JdbcAnswer> {
    return this.#ask<JdbcAnswer>('statement', sql);
  }

  /** One PreparedStatement run `times` times; the last answer. */
  prepared(sql: string, times = 2): Promise<JdbcAnswer> {
    return this.#ask<JdbcAnswer>('prepared', sql, String(times));
  }

  update(sql: string): Promise<number> {
    return this.#ask<number>('update', sql);
  }

  /** Reads some rows and closes the result; how many were read. */
  partial(sql: string, rows: number): Promise<number> {
    return this.#ask<number>('partial', sql, String(rows));
  }

  metadata(name: string, ...args: readonly string[]): Promise<JdbcAnswer> {
    return this.#ask<JdbcAnswer>('metadata', name, ...args);
  }

  /** Every DatabaseMetaData getter; `failed` lists those that threw. */
  facts(): Promise<Readonly<Record<string, unknown>> & { readonly failed: readonly string[] }> {
    return this.#ask('metadata', 'facts');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process.end();
  }
}
