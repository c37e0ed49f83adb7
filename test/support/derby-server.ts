/** Arrow Java's example Flight SQL server over Derby (derby/DerbyServer.java): the reference for metadata schemas. Takes any caller. */
import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { DERBY_CLASSPATH, TESTBED } from './testbed.mjs';

const JAVA = 'java';

export interface DerbyServer extends AsyncDisposable {
  readonly port: number;
}

/** Resolves when it listens; its database lives in a directory of its own that goes with it. */
export async function startDerby(): Promise<DerbyServer> {
  await mkdir(TESTBED, { recursive: true });
  const directory = await mkdtemp(join(TESTBED, 'derby-run-'));
  const args = ['--add-opens=java.base/java.nio=ALL-UNNAMED', '-Xmx256m', '-cp', DERBY_CLASSPATH, 'DerbyServer', 'derbyDB'];
  const child = spawn(JAVA, args, { cwd: directory, stdio: 'pipe' });
  const exited = new Promise<void>((resolve) => child.once('close', () => resolve()));
  let complaints = '';
  child.stderr.on('data', (chunk: Buffer) => {
    complaints = (complaints + chunk.toString()).slice(-4000);
  });
  const port = await new Promise<number>((resolve, reject) => {
    createInterface({ input: child.stdout }).on('line', (line) => resolve(Number(/^listening on (\d+)$/.exec(line)?.[1])));
    child.once('error', reject);
    child.once('close', (code) => reject(new Error(`the Derby server ended with ${code}\n${complaints}`)));
  });
  return {
    port,
    [Symbol.asyncDispose]: async () => {
      child.stdin.end();
      const killer = setTimeout(() => child.kill('SIGKILL'), 60_000);
      await exited;
      clearTimeout(killer);
      await rm(directory, { recursive: true, force: true });
    },
  };
}
