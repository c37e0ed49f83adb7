/** The product's own server in this process, on a free loopback port, with the demo data shared by all tests. */
import { createReadStream, mkdtempSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { readConfig } from '#src/config.js';
import { createLogger } from '#src/log.js';
import { type SluiceServer, startServer } from '#src/server.js';
import { TESTBED } from '#testbed';

/** State shared by all test servers: the demo data is made once. */
export const STATE_DIRECTORY: string = join(TESTBED, 'state');

export interface TestServer extends AsyncDisposable {
  readonly server: SluiceServer;
  readonly port: number;
  /** grpc://127.0.0.1:port, as ADBC and pyarrow take it. */
  readonly uri: string;
  /** What the policy directory complained about, growing. */
  readonly problems: readonly string[];
  /** Audit records since this server started, as far as they have reached the file: wait for those that are to come. */
  audit(): Promise<readonly AuditRecord[]>;
}

export type AuditRecord = Readonly<Record<string, unknown>> & {
  readonly requestId: string;
  readonly method: string;
  readonly outcome: string;
};

/** The last line may be half written yet. */
export function recordsIn(lines: string): readonly AuditRecord[] {
  return lines
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as AuditRecord);
}

/** Scratch tables belong to one server alone. */
export function ownScratchDirectory(): string {
  return mkdtempSync(join(tmpdir(), 'sluice-scratch-'));
}

/** `settings` as in the environment; `policies` is a policy directory other than the quickstart. */
export async function startTestServer(settings: Readonly<Record<string, string>> = {}): Promise<TestServer> {
  const config = readConfig([], {
    SLUICE_FLIGHT_LISTEN: '127.0.0.1:0',
    SLUICE_STATE_DIR: STATE_DIRECTORY,
    SLUICE_SCRATCH_DIR: ownScratchDirectory(),
    ...settings,
  });
  const auditFile = join(config.stateDirectory, 'audit.jsonl');
  const before = await stat(auditFile).then(
    ({ size }) => size,
    () => 0,
  );
  const problems: string[] = [];
  const server = await startServer(config, { logger: createLogger('silent'), onProblems: (found) => problems.push(...found) });
  return {
    server,
    port: server.port,
    uri: `${config.tlsCertificate === null ? 'grpc' : 'grpc+tls'}://127.0.0.1:${server.port}`,
    problems,
    audit: async () => {
      const lines = await text(createReadStream(auditFile, { start: before }));
      return recordsIn(lines);
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}
