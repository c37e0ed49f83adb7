/** DoExchange: sends back what comes in, for clients that try a connection; nothing is computed here. */
import { fail } from '../errors.ts';
import { decodeFlightData, encodeFlightData } from '../wire/index.ts';
import type { Rpc } from './rpc.ts';
import { unimplemented } from './stream.ts';

const ECHO = 'echo';
const BYTES_MAX = 256 * 1024 ** 2;

export async function doExchange(rpc: Rpc): Promise<void> {
  const { descriptor } = decodeFlightData(await rpc.request());
  const command = descriptor?.kind === 'command' ? Buffer.from(descriptor.bytes).toString('latin1') : '';
  if (command !== ECHO) unimplemented('DoExchange', 'except for the command "echo"');
  rpc.audit.add({ command: ECHO });
  let bytes = 0;
  for await (const message of rpc.messages()) {
    bytes += message.length;
    if (bytes > BYTES_MAX) fail('request.malformed', `an echo is at most ${BYTES_MAX} bytes`);
    const { header, body, appMetadata } = decodeFlightData(message);
    if (header.length + body.length + appMetadata.length > 0) await rpc.send(encodeFlightData(header, body, appMetadata));
  }
  rpc.audit.add({ bytes });
}
