/** The shape of src/: who may import whom, which folder owns a package, where tests lie. ARCHITECTURE.md explains; this file enforces. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { posix } from 'node:path';
import { expect, test } from 'vitest';

const NOUNS = ['model', 'files', 'file-paths', 'errors', 'log', 'audit', 'names', 'loopback', 'waiting', 'replace-file', 'metrics'];
const SERVICES = ['auth', 'policy', 'catalog', 'sql', 'engine', 'storage'];

/** What each folder may import besides itself. Services never import each other. */
const LAYERS: Readonly<Record<string, readonly string[]>> = {
  wire: NOUNS,
  ...Object.fromEntries(SERVICES.map((folder) => [folder, [...NOUNS, 'wire']])),
  planner: [...NOUNS, 'wire', ...SERVICES],
  worker: [...NOUNS, 'wire', ...SERVICES],
  datasets: [...NOUNS, ...SERVICES],
  flight: [...NOUNS, 'wire', 'auth', 'planner', 'worker'],
  rest: NOUNS,
};
/** Single files beside the folders: nouns import nouns; the composition root may import everything. */
const ROOT_FILES = [
  'main',
  'config',
  'settings',
  'setting-values',
  'server',
  'operations',
  'demo',
  'cli',
  'documentation',
  'metadata',
  'disposal',
  'identity',
  'identity-settings',
  'policy-cli',
  'extension-cli',
  'token-cli',
  'cluster-keys',
  'connections',
  'caches',
  'secret-cli',
  'fleet',
  'fleet-settings',
  'join',
  'readiness',
  'steward',
  'dataset-cli',
  'version',
];

/** The one place that imports a third-party package; an upgrade then touches one place. */
const OWNERS: Readonly<Record<string, readonly string[]>> = {
  '@aws-sdk/client-s3': ['storage'],
  '@aws-sdk/credential-providers': ['storage'],
  '@duckdb/node-api': ['engine'],
  '@grpc/grpc-js': ['flight'],
  'apache-arrow': ['engine', 'flight', 'planner', 'wire', 'worker'],
  casbin: ['policy'],
  flatbuffers: ['engine'],
  jose: ['auth'],
  koffi: ['engine'],
  pg: ['catalog'],
  'parquet-wasm': ['worker'],
  pino: ['log'],
  'prom-client': ['metrics'],
  protobufjs: ['wire'],
  'vega-datasets': ['demo'],
  yaml: ['catalog'],
};

/** Folders whose files work only together (native handles, one walk over one tree): these tests drive them through the folder's face. */
const TESTED_THROUGH_FACE: Readonly<Record<string, readonly string[]>> = {
  engine: ['analyzer', 'copy', 'failures', 'objects', 'plan-catalogs', 'sandbox', 'streams', 'types', 'wire-forms'],
  planner: ['explain', 'planner'],
  sql: ['attacks', 'leakproof', 'non-interference'],
};
/** Files without a unit test of their own, and why. `index.ts` and `types.ts` hold no logic. */
const NO_UNIT_TEST: Readonly<Record<string, string>> = {
  'files.ts': 'types, and the list of formats',
  'demo.ts': 'makes the data that test/conformance reads',
  'main.ts': 'only wires; test/service starts it',
  'server.ts': 'only wires; test/service starts it',
  'connections.ts': 'only wires; test/service/s3 starts it',
  'metadata.ts': 'only wires; test/service starts it',
  'identity.ts': 'only wires; test/service/identity starts it',
  'operations.ts': 'only wires; test/service/operations and limits start it',
  'caches.ts': 'only wires; test/service/cache.test.ts starts it',
  'model.ts': 'types only',
  'token-cli.ts': 'only wires; test/service/identity.test.ts runs it',
  'policy-cli.ts': 'only wires; test/service/shared-metadata.test.ts runs it',
  'steward.ts': 'only wires; test/service/datasets.test.ts asks it',
  'dataset-cli.ts': 'only wires; test/service/datasets.test.ts runs it',
  'version.ts': 'one constant',
  'disposal.ts': 'every server test goes through it',
};
/** Files above 300 lines, and why they are not split. */
const LONG_FILES: Readonly<Record<string, string>> = {};

interface Source {
  readonly file: string;
  readonly unit: string;
  readonly lines: number;
  readonly imports: readonly string[];
}

const sources = readdirSync('src', { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts'))
  .map(readSource);

function readSource(file: string): Source {
  const text = readFileSync(posix.join('src', file), 'utf8');
  const found = text.matchAll(
    /^(?:import|export)\s[^;'"]*?from\s+['"]([^'"]+)['"]|^import\s+['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]/gm,
  );
  const imports = [...found].map((match) => match[1] ?? match[2] ?? match[3] ?? '');
  return { file, unit: unitOf(file), lines: text.split('\n').length - 1, imports };
}

function unitOf(file: string): string {
  return (file.split('/')[0] ?? file).replace(/\.ts$/, '');
}

function faultOf(source: Source, specifier: string): string | null {
  if (specifier.startsWith('node:')) return null;
  if (!specifier.startsWith('.')) {
    const name = specifier
      .split('/')
      .slice(0, specifier.startsWith('@') ? 2 : 1)
      .join('/');
    return OWNERS[name]?.includes(source.unit) ? null : `package ${name} is not owned here`;
  }
  const target = posix.join(posix.dirname(source.file), specifier);
  const unit = unitOf(target);
  if (unit === source.unit) return null;
  const allowed = ROOT_FILES.includes(source.unit) ? [...ROOT_FILES, ...NOUNS, ...Object.keys(LAYERS)] : (LAYERS[source.unit] ?? NOUNS);
  if (!allowed.includes(unit)) return `may not import ${unit}`;
  return target === `${unit}.ts` || target === `${unit}/index.ts` ? null : `reaches into ${target}`;
}

test('imports go downward, through a folder index, and a package has one owner', () => {
  const faults = sources.flatMap((source) =>
    source.imports.flatMap((specifier) => {
      const fault = faultOf(source, specifier);
      return fault === null ? [] : [`src/${source.file}: ${fault}`];
    }),
  );
  expect(faults).toEqual([]);
});

test('every unit in src/ is known, and every folder has an index', () => {
  const units = new Set(sources.map((source) => source.unit));
  expect([...units].filter((unit) => !(unit in LAYERS) && !NOUNS.includes(unit) && !ROOT_FILES.includes(unit))).toEqual([]);
  expect([...units].filter((unit) => unit in LAYERS && !existsSync(`src/${unit}/index.ts`))).toEqual([]);
});

test('every source file has its unit test or a listed reason', () => {
  const tested = (file: string): boolean => existsSync(`test/unit/${file.replace(/\.ts$/, '.test.ts')}`);
  const exempt = (file: string): boolean =>
    /(^|\/)(index|types)\.ts$/.test(file) || file in NO_UNIT_TEST || unitOf(file) in TESTED_THROUGH_FACE;
  expect(sources.map((source) => source.file).filter((file) => !exempt(file) && !tested(file))).toEqual([]);
  expect(Object.keys(NO_UNIT_TEST).filter((file) => !existsSync(`src/${file}`) || tested(file))).toEqual([]);
  const drivers = Object.entries(TESTED_THROUGH_FACE).flatMap(([folder, tests]) => tests.map((name) => `${folder}/${name}.ts`));
  expect(drivers.filter((driver) => !tested(driver))).toEqual([]);
});

test('files stay short', () => {
  expect(sources.filter((source) => source.lines > 300 && !(source.file in LONG_FILES)).map((source) => source.file)).toEqual([]);
});

test('dependencies are pinned exactly and owned', () => {
  const manifest = JSON.parse(readFileSync('package.json', 'utf8')) as Record<'dependencies' | 'devDependencies', Record<string, string>>;
  const versions = Object.entries({ ...manifest.dependencies, ...manifest.devDependencies });
  expect(versions.filter(([, version]) => !/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version))).toEqual([]);
  expect(Object.keys(manifest.dependencies).sort()).toEqual(Object.keys(OWNERS).sort());
});
