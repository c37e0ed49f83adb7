/**
 * One connection on which a second request gives up the result of the first one while its bytes leave, again and again. Prints how many
 * results ended, and with which HTTP/2 error code. A program of its own: where Node loses a reset it runs out of memory or hangs.
 */
import { once } from 'node:events';
import { connect, createServer } from 'node:http2';
import { createFrameWriter } from '#src/flight/fast-frames.js';

const ROUNDS = 200;
const body = new Uint8Array(new SharedArrayBuffer(1024 ** 2));
const writers = new Map();

async function sendForEver(stream) {
  stream.respond({ ':status': 200 }, { waitForTrailers: true });
  const writer = createFrameWriter({ call: { stream } }, true);
  writers.set(stream.id, writer);
  const write = () => writer.write(new Uint8Array(100), body, () => {});
  try {
    for (let last = write(); ; ) {
      const next = write();
      next.catch(() => {});
      await last;
      last = next;
    }
  } catch {
    writers.delete(stream.id);
  }
}

const server = createServer();
server.on('stream', (stream, headers) => {
  if (headers[':path'] === '/result') {
    void sendForEver(stream);
    return;
  }
  // Within the reading of the connection, as the first microtask of a request is.
  stream.on('data', () => writers.get(Number(headers.id))?.abandon());
  stream.respond({ ':status': 200 });
  stream.end();
});
await once(server.listen(0, '127.0.0.1'), 'listening');

const session = connect(`http://127.0.0.1:${server.address().port}`, { settings: { initialWindowSize: 8 * 1024 ** 2 } });
await once(session, 'connect');
session.setLocalWindowSize(16 * 1024 ** 2);

async function readAndGiveUp(round) {
  const result = session.request({ ':method': 'POST', ':path': '/result' }, { endStream: true });
  const closed = new Promise((resolve) => result.on('close', resolve));
  result.on('error', () => {});
  let left = 200_000 + (round % 7) * 300_000;
  result.on('data', (chunk) => {
    if (left > 0 && left <= chunk.length) {
      const request = session.request({ ':method': 'POST', ':path': '/give-up', id: result.id });
      request.on('error', () => {});
      request.resume().end(Buffer.alloc(8000));
    }
    left -= chunk.length;
  });
  await closed;
  return result.rstCode;
}

const ends = new Map();
for (let round = 0; round < ROUNDS; round++) {
  const code = await readAndGiveUp(round);
  ends.set(code, (ends.get(code) ?? 0) + 1);
}
process.stdout.write(`${[...ends].map(([code, count]) => `${count} results ended with code ${code}`).join(', ')}\n`);
process.exit(0);
