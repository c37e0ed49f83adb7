/**
 * Real clients as child processes: those of Python in one process (python/), JDBC in one Java process (jdbc/), Spark in another (spark/). Needs
 * `.testbed/`, which `npm test` fills. A client's error rejects with ClientError. Dispose ends the process.
 */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { GIZMO_PYTHON, JDBC_CLASSPATH, PYTHON, SPARK_CLASSPATH } from './testbed.mjs';

/** Values in one vocabulary for every Python client; see `plain` in python/lines.py. JDBC gives every value as text. */
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

  constructor(command: string, args: readonly string[], env: Readonly<Record<string, string>> = {}) {
    this.#child = spawn(command, args, { stdio: 'pipe', env: { ...process.env, ...env } });
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
    if (this.#child.exitCode !== null || this.#child.signalCode !== null)
      return Promise.reject(new Error(`the client process has ended\n${this.#stderr}`));
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#child.stdin.write(`${line}\n`);
    });
  }

  async end(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const closed = new Promise((resolve) => this.#child.once('close', resolve));
    this.#child.stdin.end();
    const killer = setTimeout(() => this.#child.kill('SIGKILL'), 60_000);
    await closed;
    clearTimeout(killer);
  }
}

export type PythonVerb =
  | 'adbc_query'
  | 'adbc_prepared'
  | 'adbc_statement'
  | 'adbc_incremental'
  | 'flight_locations'
  | 'flight_naive'
  | 'pandas_read_sql'
  | 'polars_read_database'
  | 'pandas_pyarrow';

export type PythonProcess = 'main' | 'sqlalchemy14' | 'gizmo';

/** Modules of python/ that each process serves; GizmoSQL's packages live in a venv of their own. */
const PYTHON_MODULES: Readonly<Record<PythonProcess, { readonly python: string; readonly modules: readonly string[] }>> = {
  main: { python: PYTHON, modules: ['adbc_flightsql', 'arrow_flight', 'fleet', 'frames', 'plain_duckdb'] },
  sqlalchemy14: { python: PYTHON, modules: ['sqlalchemy14'] },
  gizmo: { python: GIZMO_PYTHON, modules: ['gizmo'] },
};

export class PythonClients implements AsyncDisposable {
  readonly #process: LineProcess;

  constructor(which: PythonProcess = 'main', env: Readonly<Record<string, string>> = {}) {
    const { python, modules } = PYTHON_MODULES[which];
    this.#process = new LineProcess(python, [fileURLToPath(new URL('python/lines.py', import.meta.url)), ...modules], env);
  }

  /** Any verb of its modules. */
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

/** What clients under load have got so far. */
export interface LoadProgress {
  /** Right answers of each client. */
  readonly right: readonly number[];
  readonly wrong: number;
  /** How often by text. */
  readonly failures: Readonly<Record<string, number>>;
}

export interface JdbcAnswer {
  /** Label, type name, java.sql.Types code. */
  readonly columns: readonly (readonly [label: string, typeName: string, type: number])[];
  readonly rows: readonly (readonly (string | null)[])[];
}

/** What ResultSetMetaData says of a column. */
export interface JdbcColumn {
  readonly label: string;
  readonly typeName: string;
  readonly className: string;
  readonly precision: number;
  readonly scale: number;
  readonly nullable: number;
  /** null for computed columns. */
  readonly table: string | null;
  readonly schema: string | null;
  readonly catalog: string | null;
}

/** A Java program that speaks tab-separated, URL-encoded lines; jdbc/Lines.java is its other end. */
class JavaProcess implements AsyncDisposable {
  readonly #process: LineProcess;

  constructor(classpath: string, mainClass: string, options: readonly string[] = []) {
    this.#process = new LineProcess('java', [
      '-Xmx1g',
      '--add-opens=java.base/java.nio=ALL-UNNAMED',
      ...options,
      '-cp',
      classpath,
      mainClass,
    ]);
  }

  protected async ask<T>(...fields: readonly string[]): Promise<T> {
    const reply = JSON.parse(await this.#process.ask(fields.map(encodeURIComponent).join('\t'))) as { value?: T; error?: string };
    if (reply.error !== undefined) throw new ClientError('SQLException', reply.error);
    return reply.value as T;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process.end();
  }
}

export class JdbcClient extends JavaProcess {
  constructor() {
    super(JDBC_CLASSPATH, 'JdbcProbe');
  }

  /** Replaces the open connection, if any. Gives the driver's version. */
  connect(port: number, identity: Identity, parameters: string = ''): Promise<string> {
    return this.open(`jdbc:arrow-flight-sql://127.0.0.1:${port}?useEncryption=false${parameters}`, identity);
  }

  /** As `connect`, with any URL. */
  open(url: string, identity: Identity): Promise<string> {
    return this.ask<string>('connect', url, identity.user ?? '', identity.password ?? '');
  }

  statement(sql: string): Promise<JdbcAnswer> {
    return this.ask<JdbcAnswer>('statement', sql);
  }

  /** One PreparedStatement run `times` times; the last answer. */
  prepared(sql: string, times = 2): Promise<JdbcAnswer> {
    return this.ask<JdbcAnswer>('prepared', sql, String(times));
  }

  /** A PreparedStatement with values bound by its setters, spelled as jdbc/Binds.java says: `setInt=5`. */
  bound(sql: string, ...binds: readonly string[]): Promise<JdbcAnswer> {
    return this.ask<JdbcAnswer>('bound', sql, ...binds);
  }

  /** One PreparedStatement with one parameter, run once per bind. */
  boundAgain(sql: string, ...binds: readonly string[]): Promise<readonly JdbcAnswer[]> {
    return this.ask('boundAgain', sql, ...binds);
  }

  boundUpdate(sql: string, ...binds: readonly string[]): Promise<number> {
    return this.ask<number>('boundUpdate', sql, ...binds);
  }

  /** addBatch and executeBatch; the update counts. */
  batch(sql: string, rows: readonly (readonly string[])[]): Promise<readonly number[]> {
    return this.ask('batch', sql, String(rows[0]?.length ?? 0), ...rows.flat());
  }

  parameterCount(sql: string): Promise<number> {
    return this.ask<number>('parameters', sql);
  }

  /** Statement.execute: whether there is a result set. */
  execute(sql: string): Promise<boolean> {
    return this.ask<boolean>('execute', sql);
  }

  describe(sql: string): Promise<readonly JdbcColumn[]> {
    return this.ask('describe', sql);
  }

  /** Whether the first column rises from row to row. */
  ascending(sql: string): Promise<{ readonly rows: number; readonly rises: boolean }> {
    return this.ask('ascending', sql);
  }

  session(): Promise<{
    readonly catalog: string | null;
    readonly schema: string | null;
    readonly valid: boolean;
    readonly closed: boolean;
  }> {
    return this.ask('session');
  }

  /** Whether the connection says that it is closed. */
  close(): Promise<boolean> {
    return this.ask<boolean>('close');
  }

  update(sql: string): Promise<number> {
    return this.ask<number>('update', sql);
  }

  /** Of a whole answer, whatever the order of its rows. */
  digest(sql: string): Promise<string> {
    return this.ask<string>('digest', sql);
  }

  /** Starts clients of their own that ask one question again and again. */
  loadStart(port: number, { user = '', password = '' }: Identity, sql: string, digest: string, clients: number): Promise<void> {
    return this.ask(
      'loadStart',
      `jdbc:arrow-flight-sql://127.0.0.1:${port}?useEncryption=false`,
      user,
      password,
      sql,
      digest,
      String(clients),
    );
  }

  loadProgress(): Promise<LoadProgress> {
    return this.ask('loadProgress');
  }

  loadStop(): Promise<LoadProgress> {
    return this.ask('loadStop');
  }

  /** Reads some rows of a result that stays open; how many. */
  hold(sql: string, rows: number): Promise<number> {
    return this.ask<number>('hold', sql, String(rows));
  }

  /** Reads on what is held; the digest of the whole. */
  rest(): Promise<string> {
    return this.ask<string>('rest');
  }

  /** Reads some rows and closes the result; how many were read. */
  partial(sql: string, rows: number): Promise<number> {
    return this.ask<number>('partial', sql, String(rows));
  }

  metadata(name: string, ...args: readonly string[]): Promise<JdbcAnswer> {
    return this.ask<JdbcAnswer>('metadata', name, ...args);
  }

  /** Every DatabaseMetaData getter; `failed` lists those that threw. */
  facts(): Promise<Readonly<Record<string, unknown>> & { readonly failed: readonly string[] }> {
    return this.ask('metadata', 'facts');
  }
}

export interface SparkAnswer {
  readonly columns: readonly (readonly [name: string, type: string])[];
  readonly rows: readonly (readonly (string | null)[])[];
  readonly partitions: number;
  /** The physical plan, which names what was pushed down. */
  readonly plan: string;
}

/** Spark's own packages want the JDK opened as spark-submit does. */
const SPARK_OPENS = ['java.lang', 'java.lang.invoke', 'java.util', 'java.util.concurrent', 'java.net', 'sun.nio.ch', 'sun.util.calendar'];

export class SparkClient extends JavaProcess {
  constructor() {
    super(
      SPARK_CLASSPATH,
      'SparkProbe',
      SPARK_OPENS.map((name) => `--add-opens=java.base/${name}=ALL-UNNAMED`),
    );
  }

  /** Options of the JDBC source, then steps over it: `where:…`, `select:…`, `sql:… FROM t`. */
  read(options: Readonly<Record<string, string>>, ...steps: readonly string[]): Promise<SparkAnswer> {
    return this.ask<SparkAnswer>('read', ...Object.entries(options).map(([name, value]) => `${name}=${value}`), ...steps);
  }
}
