/**
 * Sluice's Flight edge alone: planner and worker are stand-ins that hold finished batches in memory, everything else is the product.
 * usage: node bench/ready-server.mjs BATCHES.arrows. Prints the port. The query `ready` streams the batches; no sign-in.
 */
import { readFileSync } from 'node:fs';
import { tableFromIPC } from 'apache-arrow';
import { createAuditLog } from '#src/audit.js';
import { createFlightServer, sqlMethods } from '#src/flight/index.js';
import { createLogger } from '#src/log.js';
import { createSealer, splitIpcStream } from '#src/wire/index.js';

const stream = readFileSync(process.argv[2]);
const { schemaHeader, batches } = splitIpcStream(stream);
// The stream's head alone: marker, length, schema.
const { schema } = tableFromIPC(stream.subarray(0, 8 + stream.readUInt32LE(4)));
const audit = { queryId: 'ready', statement: 'ready', epoch: 1, fingerprint: '', decisions: [] };

const planner = {
  plan: async () => ({
    queryId: 'ready',
    schema,
    tickets: [Buffer.from('ready')],
    ordered: true,
    expiresAtMs: Date.now() + 600_000,
    audit,
  }),
};
const worker = {
  redeem: async (_ticket, _principal, signal) => ({ task: audit, source: readySource(), ended: signal }),
};
const authenticator = {
  authenticate: async () => ({ principal: { subject: 'bench', groups: [], attributes: {} }, bearer: 'Bearer bench' }),
};

function readySource() {
  let next = 0;
  return { schemaHeader, next: async () => batches[next++] ?? null, [Symbol.asyncDispose]: async () => {} };
}

const server = await createFlightServer({
  host: '127.0.0.1',
  port: 0,
  methods: sqlMethods({ planner, worker, sealer: createSealer([{ id: '1', key: new Uint8Array(32) }]), version: 'bench' }),
  authenticator,
  audit: createAuditLog(() => {}),
  logger: createLogger('error'),
  maxMessageBytes: 16 * 1024 ** 2,
});
process.stdout.write(`${server.port}\n`);
