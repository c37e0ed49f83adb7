/**
 * The plan catalogs attached to one database, by name: loaded once, shared by all who use them, and the one used
 * longest ago detached when there are too many.
 */
import type { PlanCatalog } from '../model.ts';
import { quoteIdentifier } from './quoting.ts';

export interface PlanCatalogs {
  /** Loads the catalog if needed and holds it until `release`. */
  hold(catalog: PlanCatalog): Promise<{ release(): void }>;
  size(): number;
  /** How often a catalog was asked for and was there, or had to be loaded. */
  uses(): { readonly hits: number; readonly misses: number };
}

interface Entry {
  readonly loaded: Promise<void>;
  holders: number;
}

/** `execute` runs statements in order on one connection. */
export function createPlanCatalogs(execute: (statements: readonly string[]) => Promise<unknown>, limit: number): PlanCatalogs {
  // In order of last use.
  const entries = new Map<string, Entry>();
  // A name that is being detached can be attached again only afterwards.
  const leaving = new Map<string, Promise<unknown>>();
  let hits = 0;
  let misses = 0;

  const detach = (name: string): Promise<unknown> => {
    const done = execute([`DETACH DATABASE IF EXISTS ${quoteIdentifier(name)}`])
      .catch(() => undefined)
      .finally(() => leaving.delete(name));
    leaving.set(name, done);
    return done;
  };
  const load = async (catalog: PlanCatalog): Promise<void> => {
    await leaving.get(catalog.name);
    const name = quoteIdentifier(catalog.name);
    const schema = `${name}.${quoteIdentifier(catalog.defaultSchema)}`;
    try {
      await execute([`ATTACH ':memory:' AS ${name}`, ...catalog.statements, `CREATE SCHEMA IF NOT EXISTS ${schema}`]);
    } catch (error) {
      entries.delete(catalog.name);
      await detach(catalog.name);
      throw error;
    }
  };
  const evict = (): void => {
    for (const [name, entry] of entries) {
      if (entries.size <= limit) return;
      if (entry.holders > 0) continue;
      entries.delete(name);
      void detach(name);
    }
  };

  return {
    hold: async (catalog) => {
      const known = entries.get(catalog.name);
      if (known === undefined) misses++;
      else hits++;
      const entry = known ?? { loaded: load(catalog), holders: 0 };
      entries.delete(catalog.name);
      entries.set(catalog.name, entry);
      entry.holders++;
      evict();
      const release = (): void => {
        entry.holders--;
        evict();
      };
      try {
        await entry.loaded;
      } catch (error) {
        entry.holders--;
        throw error;
      }
      return { release: once(release) };
    },
    size: () => entries.size,
    uses: () => ({ hits, misses }),
  };
}

function once(action: () => void): () => void {
  let done = false;
  return () => {
    if (done) return;
    done = true;
    action();
  };
}
