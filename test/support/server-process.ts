/** The product as its own process, for what only a process shows: memory, signals, exit codes. Linux. */
import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import { ownScratchDirectory, STATE_DIRECTORY } from './server.ts';

/** The built product's program. */
export const MAIN: string = createRequire(import.meta.url).resolve('#src/main.js');

export interface ServerProcess extends AsyncDisposable {
  readonly port: number;
  /** Of the metrics; null when they are off. */
  readonly httpPort: number | null;
  /** Resident memory now and at its highest, MB. */
  memory(): { readonly residentMb: number; readonly peakMb: number };
  /** CPU seconds of all threads so far. */
  cpuSeconds(): number;
  /** Files and sockets that are open. */
  openFiles(): number;
  readonly child: ChildProcess;
}

/** The end of the banner's line, which names the advertised address first. */
const FLIGHT = /grpc(?:\+tls)?:\/\/\S*?:(\d+)(?: \(listens on \S*:(\d+)\))?$/;
const HTTP = /^Metrics .*:(\d+)\/metrics$/;

/** Resolves when the server says that it listens; rejects with its output when it ends before. */
export function startServerProcess(settings: Readonly<Record<string, string>> = {}): Promise<ServerProcess> {
  const own = { SLUICE_STATE_DIR: STATE_DIRECTORY, SLUICE_SCRATCH_DIR: ownScratchDirectory() };
  const env = { ...process.env, SLUICE_FLIGHT_LISTEN: '127.0.0.1:0', ...own, ...settings };
  const child = spawn(process.execPath, [MAIN], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  return new Promise((resolve, reject) => {
    let output = '';
    const ports: { flight: number; http: number | null } = { flight: 0, http: null };
    const look = (line: string): void => {
      output = `${output}${line}\n`.slice(-4000);
      const flight = FLIGHT.exec(line);
      const http = HTTP.exec(line);
      if (flight !== null) ports.flight = Number(flight[2] ?? flight[1]);
      if (http !== null) ports.http = Number(http[1]);
      if (line.startsWith('Policies ')) resolve(describe(child, ports));
    };
    for (const stream of [child.stdout, child.stderr]) createInterface({ input: stream }).on('line', look);
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`the server ended with ${code}\n${output}`)));
  });
}

function describe(child: ChildProcess, { flight, http }: { readonly flight: number; readonly http: number | null }): ServerProcess {
  const read = (file: string): string => readFileSync(`/proc/${child.pid}/${file}`, 'utf8');
  const megabytes = (status: string, field: string): number => Number(new RegExp(`${field}:\\s+(\\d+)`).exec(status)?.[1] ?? 0) / 1024;
  return {
    port: flight,
    httpPort: http,
    child,
    memory: () => {
      const status = read('status');
      return { residentMb: megabytes(status, 'VmRSS'), peakMb: megabytes(status, 'VmHWM') };
    },
    cpuSeconds: () => {
      const fields = read('stat').split(') ').at(-1)?.split(' ') ?? [];
      return (Number(fields[11]) + Number(fields[12])) / 100;
    },
    openFiles: () => readdirSync(`/proc/${child.pid}/fd`).length,
    [Symbol.asyncDispose]: () => end(child),
  };
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  const killer = setTimeout(() => child.kill('SIGKILL'), 60_000);
  await exited;
  clearTimeout(killer);
}
