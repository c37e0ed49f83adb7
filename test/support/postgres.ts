/** A real PostgreSQL of the test's own: 127.0.0.1 only, in a directory that goes away with it. */
import { execFile, execFileSync } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { chownSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { getuid } from 'node:process';
import { promisify } from 'node:util';

const run = promisify(execFile);

export interface Postgres extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  start(): Promise<void>;
  /** Ends every connection at once, as a crash would. */
  stop(): Promise<void>;
}

/** Throws an Error that says what to install when there is no PostgreSQL. */
export async function startPostgres(): Promise<Postgres> {
  const binaries = findBinaries();
  const directory = mkdtempSync(join(tmpdir(), 'postgres-'));
  const data = join(directory, 'data');
  mkdirSync(data, { mode: 0o700 });
  const account = serverAccount();
  if (account !== null) for (const path of [directory, data]) chownSync(path, account.uid, account.gid);
  const command = (name: string, ...args: string[]): Promise<unknown> =>
    run(join(binaries, name), args, { cwd: directory, env: { PATH: binaries, LC_ALL: 'C' }, ...account });
  await command('initdb', '-D', data, '-U', 'sluice', '-A', 'trust', '-E', 'UTF8', '--no-sync');
  let port = await freePort();
  const options = (): string =>
    `-p ${port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off -c shared_buffers=32MB`;
  const start = async (): Promise<void> =>
    void (await command('pg_ctl', '-D', data, '-w', '-t', '240', '-s', '-l', join(directory, 'log'), '-o', options(), 'start'));
  const stop = async (): Promise<void> => void (await command('pg_ctl', '-D', data, '-w', '-s', '-m', 'immediate', 'stop'));
  // Somebody else may have taken the port meanwhile.
  for (let tries = 1; ; tries++)
    try {
      await start();
      break;
    } catch (error) {
      if (tries === 5) throw error;
      port = await freePort();
    }
  return {
    url: `postgres://sluice@127.0.0.1:${port}/postgres`,
    port,
    start,
    stop,
    [Symbol.asyncDispose]: async () => {
      await stop().catch(() => {});
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

function findBinaries(): string {
  const debian = '/usr/lib/postgresql';
  const versions = existsSync(debian) ? readdirSync(debian).sort((a, b) => Number(b) - Number(a)) : [];
  const candidates = [...versions.map((version) => join(debian, version, 'bin')), ...(process.env['PATH'] ?? '').split(':')];
  const found = candidates.find((path) => existsSync(join(path, 'initdb')) && existsSync(join(path, 'postgres')));
  if (found === undefined)
    throw new Error('the tests drive a real PostgreSQL and found none: install it (Debian: apt-get install postgresql)');
  return found;
}

/** PostgreSQL refuses to run as root. */
function serverAccount(): { uid: number; gid: number } | null {
  if (getuid?.() !== 0) return null;
  const id = (flag: string): number => Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8' }));
  return { uid: id('-u'), gid: id('-g') };
}

/** On loopback, free a moment ago, and below those that systems give to connections: none of them takes it between a stop and a start. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const port = randomInt(15_000, 30_000);
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => (error.code === 'EADDRINUSE' ? resolve(freePort()) : reject(error)));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(port)));
  });
}
