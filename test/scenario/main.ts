/** `npm run scenario -- NAME HOST:PORT`: serves one of Arrow's integration scenarios until it is interrupted. */
import { SCENARIO_NAMES, startScenario } from './scenario.ts';

const [name, address = '127.0.0.1:31337'] = process.argv.slice(2);
const [, host = '127.0.0.1', port] = /^(.*):(\d+)$/.exec(address) ?? [];
if (name === undefined || port === undefined) {
  console.error(`usage: npm run scenario -- NAME [HOST:PORT]\nscenarios: ${SCENARIO_NAMES.join(', ')}`);
  process.exit(2);
}
const server = await startScenario(name, host, Number(port));
console.log(`scenario ${name} on ${host}:${server.port}`);
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void server[Symbol.asyncDispose]());
