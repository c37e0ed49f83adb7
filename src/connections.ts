/** Access to the connections of a policy set: storage, and the engines that read from it with the credentials in force. */
import { join } from 'node:path';
import type { ClusterKeys } from './cluster-keys.ts';
import type { Config } from './config.ts';
import type { DisposalStack } from './disposal.ts';
import { createEngine, type Engine } from './engine/index.ts';
import type { Connection } from './files.ts';
import type { Logger } from './log.ts';
import { createStorage, type Storage } from './storage/index.ts';
import { createEnginePool, type EnginePool, keepAuthorized } from './worker/index.ts';

export interface Connections {
  readonly storage: Storage;
  readonly pool: EnginePool;
}

/** Opens nothing yet. */
export function openConnections(config: Config, keys: ClusterKeys, logger: Logger, started: DisposalStack): Connections {
  const storage = createStorage({
    openSecret: keys.openSecret,
    glob: (connections, pattern, max) => leased(pool, connections, (engine) => engine.files(pattern, max)),
    onCredentials: ({ connection, outcome, cause }) => {
      if (outcome === 'failed')
        logger.warn({ connection, error: String(cause) }, 'no new credentials for a connection; those at hand serve to their end');
    },
  });
  started.add({ [Symbol.asyncDispose]: async () => storage[Symbol.dispose]() });
  const start = async (connections: readonly Connection[]): Promise<Engine> => {
    try {
      return await createEngine(engineOptions(config, connections, keys.token));
    } catch (error) {
      // Clients are only told that the data can not be read.
      logger.error({ error: String(error instanceof Error ? (error.cause ?? error) : error) }, 'the engine does not start');
      throw error;
    }
  };
  const pool = started.add(
    createEnginePool(start, (engine, connections) => keepAuthorized(engine, connections, { credentials: storage.credentials })),
  );
  return { storage, pool };
}

/** `work` with the engine for these connections. */
export async function leased<T>(pool: EnginePool, connections: readonly Connection[], work: (engine: Engine) => Promise<T>): Promise<T> {
  const { engine, release } = await pool.lease(connections);
  try {
    return await work(engine);
  } finally {
    release();
  }
}

function engineOptions(config: Config, connections: readonly Connection[], tokenKey: string): Parameters<typeof createEngine>[0] {
  const { memoryLimitBytes, tempLimitBytes, threads, engineThreads, batchBytes, streamWindow, streamingBufferBytes, extensions } = config;
  return {
    connections,
    tempDirectory: join(config.stateDirectory, 'tmp'),
    memoryLimitBytes,
    tempLimitBytes,
    threads,
    engineThreads,
    batchBytes,
    streamWindow,
    streamingBufferBytes,
    variables: { sluice_token_key: tokenKey },
    extensions,
  };
}
