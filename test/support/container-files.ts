/** docker/ as values: what the image sets, the services of compose.yaml and the objects of the manifests. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse, parseAllDocuments } from 'yaml';

export const DOCKER: string = fileURLToPath(new URL('../../docker/', import.meta.url));
export const DOCKERFILE: string = readFileSync(join(DOCKER, 'Dockerfile'), 'utf8');

export type Environment = Readonly<Record<string, string>>;

/** Instructions of the last stage, in order; a continued line is one. */
export function runtimeInstructions(): readonly (readonly [name: string, rest: string])[] {
  const lines = DOCKERFILE.replaceAll(/^#.*\n/gm, '')
    .replaceAll(/\\\n\s*/g, '')
    .split('\n');
  const from = lines.findLastIndex((line) => line.startsWith('FROM '));
  return lines
    .slice(from)
    .map((line) => /^([A-Z]+) (.*)$/.exec(line))
    .filter((match) => match !== null)
    .map(([, name = '', rest = '']) => [name, rest]);
}

export function instruction(name: string): string {
  const found = runtimeInstructions().filter(([candidate]) => candidate === name);
  if (found.length !== 1) throw new Error(`the image has ${found.length} times ${name}`);
  return found[0]?.[1] ?? '';
}

export function imageEnvironment(): Environment {
  return Object.fromEntries([...instruction('ENV').matchAll(/(\w+)=(\S+)/g)].map(([, name = '', value = '']) => [name, value]));
}

export interface ComposeService {
  readonly image: string;
  readonly build?: unknown;
  readonly environment?: Environment;
  readonly entrypoint?: readonly string[];
  readonly read_only?: boolean;
  readonly stop_grace_period?: string;
  readonly ports?: readonly string[];
  readonly volumes?: readonly string[];
  readonly depends_on?: Readonly<Record<string, unknown>> | readonly string[];
}

export const COMPOSE_TEXT: string = readFileSync(join(DOCKER, 'compose.yaml'), 'utf8');

/** With the variables of .env put in. */
export function composeServices(variables: Environment): Readonly<Record<string, ComposeService>> {
  const text = COMPOSE_TEXT.replaceAll(/\$\{(\w+):\?\}/g, (_, name: string) => variables[name] ?? '');
  return parse(text, { merge: true }).services;
}

// The manifests' own shape, as far as the tests look at it.
export interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly data?: Environment;
  readonly stringData?: Environment;
  // biome-ignore lint/suspicious/noExplicitAny: each kind has its own, and its schema is checked elsewhere.
  readonly spec?: any;
}

export const MANIFEST_FILES: readonly string[] = readdirSync(join(DOCKER, 'kubernetes'))
  .filter((name) => name !== 'kustomization.yaml')
  .map((name) => join(DOCKER, 'kubernetes', name));

export function manifests(): readonly Manifest[] {
  return MANIFEST_FILES.flatMap((file) => parseAllDocuments(readFileSync(file, 'utf8')).map((document) => document.toJS() as Manifest));
}

export function manifest(kind: string, name: string): Manifest {
  const found = manifests().find((candidate) => candidate.kind === kind && candidate.metadata.name === name);
  if (found === undefined) throw new Error(`no ${kind} ${name}`);
  return found;
}
