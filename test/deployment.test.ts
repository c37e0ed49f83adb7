/** docker/ without a container engine: linters that know the formats, and what only Sluice knows about itself. */
import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { readConfig } from '#src/config.js';
import { duckdbVersion } from '#src/engine/index.js';
import { SETTINGS } from '#src/settings.js';
import { VERSION } from '#src/version.js';
import { DCLINT, HADOLINT, KUBE_SCORE, KUBERNETES_VALIDATE } from '#testbed';
import {
  COMPOSE_TEXT,
  composeServices,
  DOCKER,
  DOCKERFILE,
  type Environment,
  imageEnvironment,
  instruction,
  MANIFEST_FILES,
  manifest,
  manifests,
  runtimeInstructions,
} from './support/container-files.ts';

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL('..', import.meta.url));
const FILLED: Environment = {
  SLUICE_CLUSTER_KEY: Buffer.alloc(32, 5).toString('base64'),
  POSTGRES_PASSWORD: 'c0ffee',
  S3_ACCESS_KEY: 'beef',
  S3_SECRET_KEY: 'feed',
  DEMO_PASSWORD: 'cafe',
};
const ENV_EXAMPLE = readFileSync(join(DOCKER, '.env.example'), 'utf8');
const DOCUMENTS = [join(ROOT, 'docs', 'fleet.md'), join(ROOT, 'README.md')];
const FILES = readdirSync(DOCKER, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && entry.name !== '.env')
  .map((entry) => join(entry.parentPath, entry.name));

/** Style that a reader is better served without. */
const COMPOSE_STYLE = [
  'no-quotes-in-volumes',
  'require-quotes-in-ports',
  'service-dependencies-alphabetical-order',
  'service-keys-order',
  'services-alphabetical-order',
  'top-level-properties-order',
];

describe('linters', () => {
  test('hadolint finds nothing in the Dockerfiles', async () => {
    await run(HADOLINT, [join(DOCKER, 'Dockerfile'), join(DOCKER, 's3.Dockerfile')]);
  });

  test('dclint and its schema find nothing in compose.yaml', async () => {
    const rules = COMPOSE_STYLE.flatMap((rule) => ['--disable-rule', rule]);
    await run(DCLINT, [join(DOCKER, 'compose.yaml'), '--max-warnings', '0', '--color=false', ...rules]);
  });

  test.each(['1.31', '1.34', '1.37'])('the manifests are what the schemas of Kubernetes %s say', async (version) => {
    await run(KUBERNETES_VALIDATE, ['--strict', '--quiet', '--kubernetes-version', version, ...MANIFEST_FILES]);
  });

  test('kube-score finds nothing against its practices', async () => {
    const files = MANIFEST_FILES.filter((file) => !file.endsWith('secrets.example.yaml'));
    await run(KUBE_SCORE, ['score', '--kubernetes-version', 'v1.34', '--exit-one-on-warning', ...files]);
  });
});

describe('names', () => {
  test.each([...FILES, ...DOCUMENTS].map((file) => [file.slice(ROOT.length), file]))('%s names settings that exist', (_, file) => {
    for (const [name] of readFileSync(file, 'utf8').matchAll(/SLUICE_[A-Z0-9_]+/g))
      if (!/^SLUICE_(PLANNER|WORKER)_SERVICE_HOST$/.test(name)) expect(SETTINGS, name).toHaveProperty(name);
  });

  test('the image is tagged with the version of the package', () => {
    for (const service of Object.values(composeServices(FILLED)))
      if (service.build !== undefined) expect(service.image).toMatch(new RegExp(`^sluice(-s3)?:${VERSION}$`));
    const { images } = parse(readFileSync(join(DOCKER, 'kubernetes', 'kustomization.yaml'), 'utf8'));
    expect(images).toEqual([{ name: 'registry.example/sluice', newTag: VERSION }]);
    for (const { image } of containers()) expect(image).toBe(`registry.example/sluice:${VERSION}`);
  });

  test('every base image has a version', () => {
    const texts = FILES.filter((file) => file.endsWith('Dockerfile')).map((file) => readFileSync(file, 'utf8'));
    const bases = texts.flatMap((text) => [...text.matchAll(/^FROM (\S+)/gm)].map(([, image = '']) => image));
    const stages = new Set(texts.flatMap((text) => [...text.matchAll(/ AS (\S+)$/gm)].map(([, stage = '']) => stage)));
    const images = Object.values(composeServices(FILLED)).map(({ image }) => image);
    for (const image of [...bases, ...images])
      if (!stages.has(image) && !image.startsWith('extensions-')) expect(image).toMatch(/^[\w./-]+:\d[\w.-]*$/);
  });

  test('the extension, the S3 server and the engine are of the versions that are tested', () => {
    const testbed = readFileSync(join(ROOT, 'test', 'support', 'testbed.mjs'), 'utf8');
    const pinned = (pattern: RegExp): string => pattern.exec(testbed)?.[1] ?? 'none';
    expect(DOCKERFILE).toContain(`duckdb-extension-httpfs==${pinned(/duckdb-extension-httpfs==([\d.]+)/)}`);
    expect(DOCKERFILE).toContain(`/${duckdbVersion()}/httpfs.duckdb_extension`);
    const s3 = readFileSync(join(DOCKER, 's3.Dockerfile'), 'utf8');
    expect(s3).toContain(`cmd/versitygw@${pinned(/cmd\/versitygw@(v[\d.]+)/)}`);
  });
});

describe('the image', () => {
  test('is run by nobody, and nobody owns the program', () => {
    expect(instruction('USER')).toBe('10001:10001');
    const names = runtimeInstructions().map(([name]) => name);
    for (const name of ['COPY', 'RUN']) expect(names.lastIndexOf(name)).toBeLessThan(names.indexOf('USER'));
    expect(DOCKERFILE).not.toMatch(/^COPY .*--chown/m);
    expect(instruction('VOLUME')).toBe(imageEnvironment()['SLUICE_STATE_DIR']);
  });

  test('gets from the checkout only what its ignore file lets through, and that is there', () => {
    const allowed = readFileSync(join(DOCKER, 'Dockerfile.dockerignore'), 'utf8')
      .split('\n')
      .filter((line) => line.startsWith('!'))
      .map((line) => line.slice(1));
    expect(readFileSync(join(DOCKER, 'Dockerfile.dockerignore'), 'utf8')).toMatch(/^\*$/m);
    const copied = [...DOCKERFILE.matchAll(/^COPY (?!--from)(.*) \S+$/gm)].flatMap(([, sources = '']) => sources.split(' '));
    for (const source of copied) {
      expect(existsSync(join(ROOT, source)), source).toBe(true);
      expect(
        allowed.some((path) => path === source || path.startsWith(`${source}/`)),
        source,
      ).toBe(true);
    }
  });

  test('alone it does not start: no certificate, and no word that there is none', () => {
    expect(() => readConfig([], imageEnvironment())).toThrow(/SLUICE_FLIGHT_LISTEN must be on loopback without TLS/);
    expect(readConfig([], { ...imageEnvironment(), SLUICE_TLS_CERT: 'c', SLUICE_TLS_KEY: 'k' }).flightHost).toBe('0.0.0.0');
  });
});

describe('compose.yaml', () => {
  const services = composeServices(FILLED);
  const nodes = Object.entries(services).filter(([, { environment }]) => environment?.['SLUICE_ROLE'] !== undefined);
  const configs = new Map(nodes.map(([name, { environment }]) => [name, readConfig([], { ...imageEnvironment(), ...environment })]));

  test('has two planners and three workers, each with a configuration that the program takes', () => {
    const roles = [...configs.values()].map(({ role }) => role);
    expect(roles.filter((role) => role === 'planner')).toHaveLength(2);
    expect(roles.filter((role) => role === 'worker')).toHaveLength(3);
  });

  test('each worker is reached under its own name and port, inside and outside', () => {
    for (const [name, { role, advertise, flightPort }] of configs) {
      if (role !== 'worker') continue;
      expect(advertise).toBe(`grpc://${name}:${flightPort}`);
      expect(services[name]?.ports).toEqual([`127.0.0.1:${flightPort}:${flightPort}`]);
    }
  });

  test('every port that leaves the machine’s own network is on loopback', () => {
    for (const port of Object.values(services).flatMap(({ ports }) => ports ?? [])) expect(port).toMatch(/^127\.0\.0\.1:/);
  });

  test('every process of ours has a read-only root and time to drain', () => {
    for (const service of Object.values(services)) if (service.build !== undefined) expect(service.read_only).toBe(true);
    for (const [name, { drainMs }] of configs)
      expect(Number.parseInt(services[name]?.stop_grace_period ?? '0', 10) * 1000).toBeGreaterThanOrEqual(drainMs + 10_000);
  });

  test('each secret comes from .env, and an empty one stops everything', () => {
    const variables = [...COMPOSE_TEXT.matchAll(/\$\{?(\w+)([^}\s]*)\}?/g)];
    expect(variables.map(([, , rest]) => rest).every((rest) => rest === ':?')).toBe(true);
    const offered = [...ENV_EXAMPLE.matchAll(/^(\w+)=(.*)$/gm)];
    expect(offered.map(([, , value]) => value)).toEqual(offered.map(() => ''));
    expect(new Set(offered.map(([, name]) => name))).toEqual(new Set(variables.map(([, name]) => name)));
    expect(readFileSync(join(ROOT, '.gitignore'), 'utf8')).toMatch(/^docker\/\.env$/m);
    expect(COMPOSE_TEXT).not.toMatch(/(PASSWORD|SECRET|KEY)\w*: *"?(?!\$\{)\w/);
  });

  test('a one-shot job runs a script that is there', () => {
    for (const { entrypoint } of Object.values(services))
      if (entrypoint !== undefined) expect(existsSync(join(DOCKER, entrypoint[1] ?? '')), entrypoint.join(' ')).toBe(true);
  });

  test('the load balancer knows these planners, their port and where they say that they drain', () => {
    const config = readFileSync(join(DOCKER, 'haproxy.cfg'), 'utf8');
    const servers = [...config.matchAll(/^ {2}server (\S+) (\S+):(\d+)$/gm)].map(([, name, host, port]) => [name, host, Number(port)]);
    const planners = [...configs].filter(([, { role }]) => role === 'planner');
    expect(servers).toEqual(planners.map(([name, { flightPort }]) => [name, name, flightPort]));
    for (const [, { httpListen }] of planners) expect(config).toContain(`check port ${httpListen?.port} `);
    expect(config).toContain('option httpchk GET /readyz');
    expect(config).toMatch(/^ {2}mode tcp$/m);
  });
});

interface Container {
  readonly image: string;
  readonly env: readonly { readonly name: string; readonly value?: string; readonly valueFrom?: unknown }[];
}

// biome-ignore lint/suspicious/noExplicitAny: the schemas are checked above.
function podsOf(): readonly any[] {
  return manifests()
    .filter(({ kind }) => ['Deployment', 'StatefulSet'].includes(kind))
    .map(({ spec }) => spec.template.spec);
}

function containers(): readonly Container[] {
  return podsOf().flatMap(({ containers: found }) => found);
}

/** As Kubernetes makes it, with names instead of what the downward API gives. */
function environmentOf({ env }: Container, secret: Environment): Environment {
  const values: Record<string, string> = { ...imageEnvironment(), ...manifest('ConfigMap', 'sluice').data, ...secret };
  for (const { name, value } of env)
    values[name] = (value ?? name.toLowerCase().replace('_', '-')).replaceAll(/\$\((\w+)\)/g, (_, other: string) => values[other] ?? '?');
  return values;
}

describe('the manifests', () => {
  const secret = {
    SLUICE_CLUSTER_KEY: FILLED['SLUICE_CLUSTER_KEY'] ?? '',
    SLUICE_METADATA: 'postgres://u:p@db/sluice?sslmode=verify-full',
  };
  const example = manifest('Secret', 'sluice').stringData ?? {};

  test('a planner and workers, each with a configuration that the program takes, over TLS alone', () => {
    const configs = containers().map((container) => readConfig([], environmentOf(container, secret)));
    expect(configs.map(({ role }) => role)).toEqual(['planner', 'worker']);
    for (const { plaintextNetwork, tlsCertificate, advertise } of configs) {
      expect(plaintextNetwork).toBe(false);
      expect(tlsCertificate).not.toBeNull();
      expect(advertise).toMatch(/^grpc\+tls:\/\/[\w.-]+:8815$/);
    }
  });

  test('the example of the secrets starts nothing', () => {
    for (const container of containers())
      for (const name of Object.keys(secret))
        expect(() => readConfig([], environmentOf(container, { ...secret, [name]: example[name] ?? '' })), name).toThrow(name);
    expect(Object.keys(example).sort()).toEqual(Object.keys(secret).sort());
  });

  test('kustomize takes every file but the example of the secrets', () => {
    const { resources } = parse(readFileSync(join(DOCKER, 'kubernetes', 'kustomization.yaml'), 'utf8'));
    const files = MANIFEST_FILES.map((file) => file.slice(file.lastIndexOf('/') + 1));
    expect([...resources, 'secrets.example.yaml'].sort()).toEqual([...files].sort());
  });

  test('no variable arrives that would be taken for a wrong setting', () => {
    for (const pod of podsOf()) expect(pod.enableServiceLinks).toBe(false);
  });

  test('who runs it: nobody, with a root that can not be written, as in the image', () => {
    for (const pod of podsOf())
      for (const { securityContext, volumeMounts } of pod.containers) {
        const user = `${securityContext.runAsUser}:${securityContext.runAsGroup}`;
        expect([user, securityContext.readOnlyRootFilesystem]).toEqual([instruction('USER'), true]);
        expect(volumeMounts.map(({ mountPath }: { mountPath: string }) => mountPath)).toContain(imageEnvironment()['SLUICE_STATE_DIR']);
      }
  });

  test('Kubernetes waits longer than the program drains', () => {
    for (const pod of podsOf())
      for (const container of pod.containers) {
        const { drainMs } = readConfig([], environmentOf(container, secret));
        const least = container.lifecycle.preStop.sleep.seconds + drainMs / 1000 + 10;
        expect(pod.terminationGracePeriodSeconds).toBeGreaterThanOrEqual(least);
      }
  });

  test('memory and threads fit within the limits of the container', () => {
    for (const pod of podsOf())
      for (const container of pod.containers) {
        const { memoryLimitBytes, rssLimitBytes, threads } = readConfig([], environmentOf(container, secret));
        const limit = Number.parseInt(container.resources.limits.memory, 10) * 1024 ** 3;
        expect(Math.max(memoryLimitBytes, rssLimitBytes ?? 0)).toBeLessThan(limit);
        expect(String(threads)).toBe(container.resources.limits.cpu);
      }
  });

  test('workers are scaled by how many queries wait, and never all taken away at once', () => {
    const { scaleTargetRef, metrics, minReplicas } = manifest('HorizontalPodAutoscaler', 'sluice-worker').spec;
    expect(scaleTargetRef).toMatchObject({ kind: 'StatefulSet', name: 'sluice-worker' });
    expect(metrics[0].pods.metric.name).toBe('sluice_queries_waiting');
    expect(minReplicas).toBeGreaterThan(1);
    for (const name of ['sluice-planner', 'sluice-worker']) expect(manifest('PodDisruptionBudget', name).spec.selector).toBeDefined();
  });
});
