/** The files of a policy directory → one snapshot, or every reason why not. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { hasCode } from '../errors.ts';
import type { Dataset, Mask, Predicate, Snapshot } from '../model.ts';
import { type ColumnCache, completeDataset } from './columns.ts';
import { withKeys } from './keys.ts';
import type { PathBase } from './paths.ts';
import { type Position, Problems } from './problems.ts';
import { CATALOG_FILE, readCatalog } from './read-catalog.ts';
import { POLICY_FILE, readPolicy } from './read-policy.ts';
import { RULES_FILE, readRules } from './read-rules.ts';
import { readUsers, USERS_FILE } from './read-users.ts';
import type { Finding } from './types.ts';

const MODEL_FILE = 'model.conf';
/** model.conf may be absent: Sluice enforces one model only. */
export const POLICY_FILES: readonly string[] = [CATALOG_FILE, MODEL_FILE, POLICY_FILE, RULES_FILE, USERS_FILE];

export interface LoadOptions {
  readonly parsePredicate: (text: string) => Promise<Predicate>;
  readonly supportsMask: (mask: Mask, type: string) => boolean;
  readonly check: (
    snapshot: Snapshot,
    options: { readonly supportsMask: (mask: Mask, type: string) => boolean; readonly tags: ReadonlySet<string> },
  ) => readonly Finding[];
  readonly base: PathBase;
  readonly columns: ColumnCache;
}

/** `snapshot` is null when the set is refused; epoch is 0. */
export interface Loaded {
  readonly snapshot: Snapshot | null;
  readonly problems: readonly string[];
}

export type PolicyFiles = ReadonlyMap<string, string>;

/** Missing files are left out. Rejects when the directory itself can not be read. */
export async function readFiles(directory: string): Promise<PolicyFiles> {
  const files = new Map<string, string>();
  for (const name of POLICY_FILES) {
    const text = await readFile(join(directory, name), 'utf8').catch(missingAsNull);
    if (text !== null) files.set(name, text);
  }
  return files;
}

export async function loadSnapshot(files: PolicyFiles, options: LoadOptions): Promise<Loaded> {
  const problems = new Problems();
  const text = (name: string): string => {
    const found = files.get(name);
    if (found === undefined) problems.add({ file: name, line: null }, 'the file is missing');
    return found ?? '';
  };
  for (const name of POLICY_FILES)
    if (files.get(name)?.includes('\uFFFD')) problems.add({ file: name, line: null }, 'the file is not UTF-8');
  const policy = readPolicy(text(POLICY_FILE), problems);
  const catalog = files.has(CATALOG_FILE) ? readCatalog(text(CATALOG_FILE), options.base, problems) : void text(CATALOG_FILE);
  const rules = files.has(RULES_FILE) ? await readRules(text(RULES_FILE), options.parsePredicate, problems) : void text(RULES_FILE);
  const users = files.has(USERS_FILE) ? readUsers(text(USERS_FILE), problems) : void text(USERS_FILE);
  if (!catalog || !rules || !users || problems.list.length > 0) return { snapshot: null, problems: problems.list };
  const resolved = await options.columns.of(catalog);
  const { grants, memberships } = policy;
  const draft: Snapshot = {
    epoch: 0,
    contentHash: hashFiles(files),
    catalogName: catalog.name,
    defaultSchema: catalog.defaultSchema,
    scratchSchema: catalog.scratchSchema,
    connections: catalog.connections,
    datasets: withKeys(
      catalog.datasets.map((dataset) => completeDataset(dataset, resolved, problems)),
      catalog.datasets,
      problems,
    ),
    users,
    model: files.get(MODEL_FILE) ?? '',
    memberships,
    grants,
    rowFilters: rules.rowFilters,
    masks: rules.masks,
    problems: [],
  };
  const findings = options.check(draft, { supportsMask: options.supportsMask, tags: catalog.tags });
  const positions = new Map([...policy.positions, ...rules.positions]);
  for (const finding of findings) problems.add(positionOf(finding, positions), describeFinding(finding));
  if (findings.some((finding) => finding.effect === 'reject')) return { snapshot: null, problems: problems.list };
  return { snapshot: { ...draft, datasets: breakDatasets(draft.datasets, findings), problems: problems.list }, problems: problems.list };
}

/** The first reason stays. */
function breakDatasets(datasets: readonly Dataset[], findings: readonly Finding[]): readonly Dataset[] {
  const reasons = new Map<string, string>();
  for (const finding of findings.filter(({ effect }) => effect === 'break'))
    for (const id of finding.datasets) reasons.set(id, reasons.get(id) ?? describeFinding(finding));
  return datasets.map((dataset) => {
    const broken = dataset.broken ?? reasons.get(dataset.id);
    return broken === undefined ? dataset : { ...dataset, broken };
  });
}

function positionOf({ about }: Finding, positions: ReadonlyMap<string, Position>): Position {
  if (about.kind === 'model') return { file: MODEL_FILE, line: null };
  const key = about.kind === 'grant' || about.kind === 'member' ? about.id : `${about.kind} ${about.id}`;
  return positions.get(key) ?? { file: about.kind === 'grant' || about.kind === 'member' ? POLICY_FILE : RULES_FILE, line: null };
}

function describeFinding({ about, message, effect }: Finding): string {
  const subject = { model: '', grant: `grant ${about.id}: `, member: '', filter: `row filter ${about.id}: `, mask: `mask ${about.id}: ` }[
    about.kind
  ];
  return `${effect === 'warn' ? 'warning: ' : ''}${subject}${message}`;
}

/** Names and lengths keep two sets from hashing alike when text moves between files. */
export function hashFiles(files: PolicyFiles): string {
  const hash = createHash('sha256');
  for (const name of POLICY_FILES) {
    const text = files.get(name);
    if (text !== undefined) hash.update(`${name} ${Buffer.byteLength(text)}\n`).update(text);
  }
  return hash.digest('hex');
}

function missingAsNull(error: unknown): null {
  if (hasCode(error, 'ENOENT')) return null;
  throw error;
}
