/** What a plan reads of files: checked before it is read and again at the end, so that no answer mixes versions. */
import type { Engine } from '../engine/index.ts';
import { SluiceError } from '../errors.ts';
import type { Connection, Scan, StoredFile } from '../files.ts';
import type { BatchSource, PlanCatalog } from '../model.ts';
import { type ExpandedCatalog, expandScans } from '../sql/index.ts';

/** Rows of a scan that the engine holds already. */
export interface HeldRelation {
  /** Trusted text of a relation with the scan's columns. */
  readonly text: string;
  /** Call when the query has ended. */
  release(): void;
}

export interface ScanPorts {
  /** Rejects with storage.unavailable when a file is gone or was written since. */
  readonly verify: (connections: readonly Connection[], files: readonly StoredFile[]) => Promise<void>;
  /** null = its files are read. */
  readonly relationFor?: (scan: Scan, engine: Engine) => Promise<HeldRelation | null>;
}

/** A plan's catalog as the engine runs it. */
export interface MadeScans extends ExpandedCatalog {
  /** Under way already. Rejects with storage.unavailable when a file is not what was planned: no row may leave before it has resolved. */
  readonly unchanged: Promise<void>;
  /** Once more, when all has been read. Rejects with storage.unavailable. */
  verify(): Promise<void>;
  release(): void;
}

/** Owns nothing when it rejects. The store is asked while the engine opens the files: one way to it less before the first row. */
export async function makeScans(
  catalog: PlanCatalog,
  engine: Engine,
  connections: readonly Connection[],
  ports: ScanPorts,
): Promise<MadeScans> {
  const { scans = [] } = catalog;
  const held = new Map<Scan, HeldRelation>();
  const release = (): void => {
    for (const relation of held.values()) relation.release();
    held.clear();
  };
  try {
    for (const scan of scans) {
      const relation = (await ports.relationFor?.(scan, engine)) ?? null;
      if (relation !== null) held.set(scan, relation);
    }
    const files = filesOf(scans.filter((scan) => !held.has(scan)));
    const verify = async (): Promise<void> => (files.length === 0 ? undefined : ports.verify(connections, files));
    const given = new Map([...held].map(([{ relation }, { text }]) => [relation, text]));
    const expanded = expandScans(catalog, given);
    const unchanged = verify();
    unchanged.catch(() => {});
    return { ...expanded, unchanged, verify, release };
  } catch (error) {
    release();
    throw error;
  }
}

/** Each once. */
export function filesOf(scans: readonly Scan[]): readonly StoredFile[] {
  const files = new Map<string, StoredFile>();
  for (const { parts } of scans) for (const part of parts) for (const file of part.files) files.set(file.path, file);
  return [...files.values()];
}

/** Ends only when `verify` agrees; a failure while files changed is told as that. */
export function verifiedSource(source: BatchSource, verify: () => Promise<void>): BatchSource {
  return {
    schemaHeader: source.schemaHeader,
    next: () =>
      verified(verify, async () => {
        const batch = await source.next();
        if (batch === null) await verify();
        return batch;
      }),
    [Symbol.asyncDispose]: () => source[Symbol.asyncDispose](),
  };
}

/** What the engine says of a file that was written meanwhile is not about the statement. */
export async function verified<T>(verify: () => Promise<void>, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof SluiceError) || !AMBIGUOUS.has(error.code)) throw error;
    await verify();
    throw error;
  }
}

/** Errors that a changed file can cause. */
const AMBIGUOUS: ReadonlySet<string> = new Set(['sql.runtime', 'sql.type', 'server.internal']);
