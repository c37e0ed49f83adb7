/** Keeps an engine's S3 credentials those in force: storage renews them in time, here they reach the engine. */
import type { Engine } from '../engine/index.ts';
import type { Connection, S3Connection, S3Credentials } from '../files.ts';

export interface CredentialPorts {
  /** What is in force now; cheap to ask. Rejects when there is nothing. */
  readonly credentials: (connection: S3Connection) => Promise<S3Credentials>;
  /** How often new ones are looked for. */
  readonly everyMs?: number;
}

const EVERY_MS = 1000;

/**
 * Resolves when the engine has what there is; what fails is tried again, and until then the engine keeps what it has.
 * Dispose before the engine.
 */
export async function keepAuthorized(
  engine: Pick<Engine, 'authorize'>,
  connections: readonly Connection[],
  { credentials, everyMs = EVERY_MS }: CredentialPorts,
): Promise<AsyncDisposable> {
  const stores = connections.filter((connection) => connection.kind === 's3');
  const given = new Map<S3Connection, S3Credentials>();
  let closed = false;
  const renew = async (connection: S3Connection): Promise<void> => {
    try {
      const next = await credentials(connection);
      if (closed || given.get(connection) === next) return;
      await engine.authorize(connection, next);
      given.set(connection, next);
    } catch {
      // Storage has told of it, and so will each query that needs them.
    }
  };
  const renewAll = async (): Promise<void> => void (await Promise.all(stores.map(renew)));
  let work = renewAll();
  await work;
  let timer: NodeJS.Timeout | undefined;
  const schedule = (): void => {
    timer = setTimeout(() => {
      work = renewAll().then(() => {
        if (!closed) schedule();
      });
    }, everyMs).unref();
  };
  if (stores.length > 0) schedule();
  return {
    [Symbol.asyncDispose]: async () => {
      closed = true;
      clearTimeout(timer);
      await work;
    },
  };
}
