/** Starts the servers of the bench on loopback, measures their processes through /proc, stops them by pid. */
import { spawn } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { createInterface } from 'node:readline';

/** Runs `command` and waits until a line of its stdout matches; the first group, if any, is the port. */
export function startProcess(name, command, args, { ready = /^(\d+)$/, port, env = {}, cwd } = {}) {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env }, cwd });
  let tail = '';
  return new Promise((resolve, reject) => {
    const look = (line) => {
      tail = `${tail}${line}\n`.slice(-4000);
      const match = ready.exec(line);
      if (match) resolve({ name, pid: child.pid, uri: `grpc://127.0.0.1:${port ?? match[1]}`, stop: () => stop(child) });
    };
    for (const stream of [child.stdout, child.stderr]) createInterface({ input: stream }).on('line', look);
    child.once('error', reject);
    child.once('exit', (code, signal) => reject(new Error(`${name} ended before it was ready: ${code ?? signal}\n${tail}`)));
  });
}

function stop(child) {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => {
    const killer = setTimeout(() => child.kill('SIGKILL'), 5000);
    child.once('exit', () => resolve(clearTimeout(killer)));
    child.kill('SIGTERM');
  });
}

/** For servers that can't choose a port themselves. */
export function freePort() {
  return new Promise((resolve, reject) => {
    const probe = createServer().once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
}

/** CPU seconds of a process tree so far: every thread, ended and living children. */
export function cpuSeconds(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1).split(' ');
  const ticks = [11, 12, 13, 14].reduce((sum, index) => sum + Number(fields[index]), 0); // utime stime cutime cstime
  return ticks / 100 + childrenOf(pid).reduce((sum, child) => sum + cpuSeconds(child), 0);
}

/** Peak resident memory of the tree since `resetPeak`, MB. */
export function peakMb(pid) {
  const own = Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024;
  return own + childrenOf(pid).reduce((sum, child) => sum + peakMb(child), 0);
}

export function resetPeak(pid) {
  for (const each of [pid, ...childrenOf(pid)]) writeFileSync(`/proc/${each}/clear_refs`, '5');
}

function childrenOf(pid) {
  return readdirSync(`/proc/${pid}/task`).flatMap((task) =>
    readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').split(' ').filter(Boolean).map(Number),
  );
}

/** A client process that speaks the line protocol of client.py; requests are answered in order. */
export function startClient(command, args, { env = {} } = {}) {
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'], env: { ...process.env, ...env } });
  const waiting = [];
  createInterface({ input: child.stdout }).on('line', (line) => waiting.shift()(JSON.parse(line)));
  child.once('exit', (code, signal) => {
    for (const answer of waiting.splice(0)) answer({ error: `the client ended: ${code ?? signal}` });
  });
  return {
    pid: child.pid,
    ask: (request) =>
      new Promise((resolve, reject) => {
        waiting.push((reply) =>
          reply.error === undefined ? resolve(reply) : reject(new Error(`${request.uri} ${request.sql}: ${reply.error}`)),
        );
        child.stdin.write(`${JSON.stringify(request)}\n`);
      }),
    stop: () => stop(child),
  };
}

/** One request and what it cost the server: CPU seconds, and peak resident memory since just before. */
export async function measure(client, { server, sql, user }) {
  resetPeak(server.pid);
  const before = cpuSeconds(server.pid);
  const reply = await client.ask({ uri: server.uri, sql, ...user });
  // What the server still does for this answer (freeing, collecting) belongs to it.
  await new Promise((resolve) => setTimeout(resolve, 150));
  return { ...reply, cpu_s: cpuSeconds(server.pid) - before, peak_mb: peakMb(server.pid) };
}
