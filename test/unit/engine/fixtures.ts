/** Engines and catalogs for the tests. */
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Engine, EngineOptions } from '#src/engine/index.js';
import { createEngine } from '#src/engine/index.js';
import type { PlanCatalog } from '#src/model.js';
import { PATIENCE } from '../../support/patience.ts';

export function startEngine(options: Partial<EngineOptions> = {}): Promise<Engine> {
  return createEngine({
    connections: [],
    memoryLimitBytes: 1024 ** 3,
    threads: 2,
    engineThreads: 2,
    tempDirectory: temporaryDirectory(),
    tempLimitBytes: 1024 ** 3,
    batchBytes: 4 * 1024 * 1024 - 1024,
    streamWindow: 4,
    streamingBufferBytes: 16 * 1024 * 1024,
    variables: {},
    extensions: null,
    ...options,
  });
}

export function temporaryDirectory(): string {
  return mkdtempSync(join(tmpdir(), 'sluice-engine-'));
}

export function catalogOf(name: string, ...statements: string[]): PlanCatalog {
  return { name, defaultSchema: 'demo', statements: [`CREATE SCHEMA "${name}".demo`, ...statements] };
}

export const EMPTY: PlanCatalog = catalogOf('p_empty');

export function never(): AbortSignal {
  return new AbortController().signal;
}

/** Rejects when it takes longer than anything may. */
export async function until(isDone: () => boolean): Promise<void> {
  const deadline = Date.now() + PATIENCE.timeout;
  while (!isDone()) {
    if (Date.now() > deadline) throw new Error(`not done within ${PATIENCE.timeout} ms`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
