import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import { ChannelCredentials, Client, Server } from '@grpc/grpc-js';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createFrameWriter, type RawCall } from '#src/flight/fast-frames.js';
import { createTlsCredentials, type TlsCredentials } from '#src/flight/index.js';
import { createLogger } from '#src/log.js';
import { encodeFlightData } from '#src/wire/index.js';
import { PATIENCE } from '../../support/patience.ts';
import { makeAuthority, makeCertificates, type TestCertificates } from '../../support/tls.ts';

let directory: string;
let files: TestCertificates;
let tls: TlsCredentials | undefined;
let server: Server | undefined;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'sluice-tls-'));
  files = await makeCertificates(directory);
});

afterEach(async () => {
  server?.forceShutdown();
  await tls?.[Symbol.asyncDispose]();
  server = tls = undefined;
  await rm(directory, { recursive: true });
});

const logger = createLogger('silent');

const load = (clientAuthorityFile: string | null = null): Promise<TlsCredentials> =>
  createTlsCredentials({
    certificateFile: files.serverCertificateFile,
    keyFile: files.serverKeyFile,
    clientAuthorityFile,
    logger,
    pollMs: 20,
  });

const listen = async (clientAuthorityFile: string | null = null): Promise<number> => {
  tls = await load(clientAuthorityFile);
  const { credentials } = tls;
  const started = new Server();
  server = started;
  return await new Promise<number>((resolve, reject) => {
    started.bindAsync('127.0.0.1:0', credentials, (error, port) => (error === null ? resolve(port) : reject(error)));
  });
};

/** Serial number of the certificate that the server shows, or why not. */
const greet = (
  port: number,
  options: ConnectionOptions = {},
  onSession: (session: Buffer) => void = () => {},
): Promise<{ serial: string; alpn: string | false | null; version: string | null }> =>
  new Promise((resolve, reject) => {
    const settings = { host: '127.0.0.1', port, servername: 'localhost', ca: files.authority.certificate, ALPNProtocols: ['h2'] };
    const socket: TLSSocket = connect({ ...settings, ...options }, () => {
      const answer = { serial: socket.getPeerCertificate().serialNumber, alpn: socket.alpnProtocol, version: socket.getProtocol() };
      // TLS 1.3: the server's refusal of a client certificate comes after the client has finished.
      socket.once('data', () => {
        resolve(answer);
        socket.destroy();
      });
    });
    socket.on('session', onSession);
    socket.on('error', reject);
    socket.once('close', () => reject(new Error('closed')));
  });

test('HTTP/2 over TLS 1.2 and 1.3, nothing older', async () => {
  const port = await listen();
  expect(await greet(port)).toMatchObject({ alpn: 'h2', version: 'TLSv1.3' });
  expect(await greet(port, { maxVersion: 'TLSv1.2' })).toMatchObject({ version: 'TLSv1.2' });
  await expect(greet(port, { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' })).rejects.toThrow();
});

test('a replaced certificate is shown to new connections, and still nothing older than TLS 1.2', async () => {
  const port = await listen();
  const { serial } = await greet(port);
  await files.replaceServer();
  await vi.waitFor(async () => expect((await greet(port)).serial).not.toBe(serial), PATIENCE);
  await expect(greet(port, { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' })).rejects.toThrow();
});

test('half a rotation, garbage and missing files leave the old certificate in force', async () => {
  const port = await listen();
  const { serial } = await greet(port);
  const told = vi.spyOn(logger, 'error');
  const next = files.authority.issue({ commonName: 'localhost', usage: 'server', dns: ['localhost'] });
  for (const breakIt of [
    () => writeFile(files.serverCertificateFile, next.certificate),
    () => writeFile(files.serverCertificateFile, 'garbage'),
    () => rm(files.serverCertificateFile),
  ]) {
    told.mockClear();
    await breakIt();
    await vi.waitFor(() => expect(told).toHaveBeenCalled(), PATIENCE);
    expect((await greet(port)).serial).toBe(serial);
    expect(JSON.stringify(told.mock.calls)).not.toContain('PRIVATE KEY');
  }
  await writeFile(files.serverKeyFile, next.key);
  await writeFile(files.serverCertificateFile, next.certificate);
  await vi.waitFor(async () => expect((await greet(port)).serial).not.toBe(serial), PATIENCE);
});

test('client certificates: one of the authority, in its time, made for clients', async () => {
  const port = await listen(files.authorityFile);
  const { certificate: cert, key } = await files.client('etl');
  await greet(port, { cert, key });
  await expect(greet(port)).rejects.toThrow();
  const day = 86_400_000;
  const late = await files.client('late', { validFrom: new Date(Date.now() - 2 * day), validTo: new Date(Date.now() - day) });
  await expect(greet(port, { cert: late.certificate, key: late.key })).rejects.toThrow();
  const other = (await makeCertificates(join(directory, 'other'))).authority.issue({ commonName: 'etl', usage: 'client' });
  await expect(greet(port, { cert: other.certificate, key: other.key })).rejects.toThrow();
  const wrongUse = await files.client('host', { usage: 'server' });
  await expect(greet(port, { cert: wrongUse.certificate, key: wrongUse.key })).rejects.toThrow();
});

test('frames go straight onto the encrypted stream, out of shared memory, and arrive whole', async () => {
  const path = '/test.Frames/Get';
  const identity = (bytes: Buffer): Buffer => bytes;
  const codecs = { requestSerialize: identity, requestDeserialize: identity, responseSerialize: identity, responseDeserialize: identity };
  const header = Buffer.from('header');
  const body = new Uint8Array(new SharedArrayBuffer(1_000_000)).fill(7);
  const seen = { fast: false, released: 0 };
  const handle = async (call: RawCall): Promise<void> => {
    call.sendMetadata(call.metadata);
    const writer = createFrameWriter(call, true);
    seen.fast = writer.fast;
    for (let i = 0; i < 20; i++) await writer.write(header, body, () => seen.released++);
    call.end();
  };
  tls = await load();
  const started = new Server();
  server = started;
  started.addService(
    { Get: { path, requestStream: true, responseStream: true, ...codecs } },
    { Get: (call: RawCall) => void handle(call) },
  );
  const { credentials } = tls;
  const port = await new Promise<number>((resolve, reject) => {
    started.bindAsync('127.0.0.1:0', credentials, (error, bound) => (error === null ? resolve(bound) : reject(error)));
  });
  const client = new Client(`localhost:${port}`, ChannelCredentials.createSsl(Buffer.from(files.authority.certificate)));
  const expected = encodeFlightData(header, body);
  let whole = 0;
  for await (const message of client.makeServerStreamRequest(path, identity, identity, Buffer.alloc(0))) {
    if (expected.equals(message as Buffer)) whole++;
  }
  client.close();
  expect({ ...seen, whole }).toEqual({ fast: true, released: 20, whole: 20 });
});

test.each(['TLSv1.2', 'TLSv1.3'] as const)('with %s a withdrawn authority is not outlived by a resumed session', async (version) => {
  const port = await listen(files.authorityFile);
  const { certificate: cert, key } = await files.client('etl');
  const shown = { cert, key, minVersion: version, maxVersion: version };
  let session: Buffer | undefined;
  await greet(port, shown, (found) => {
    session = found;
  });
  if (session === undefined) throw new Error('no session to resume');
  expect(await greet(port, { ...shown, session })).toMatchObject({ version });
  const told = vi.spyOn(logger, 'info').mockClear();
  const next = makeAuthority('Next');
  await writeFile(files.authorityFile, next.certificate);
  await vi.waitFor(() => expect(told).toHaveBeenCalled(), PATIENCE);
  await expect(greet(port, { ...shown, session })).rejects.toThrow();
});

test('files that do not fit together stop the start', async () => {
  const invalid = expect.objectContaining({ code: 'config.invalid' });
  await expect(load(join(directory, 'missing.pem'))).rejects.toThrow(invalid);
  await expect(load(files.serverKeyFile)).rejects.toThrow(invalid);
  await writeFile(files.serverKeyFile, (await files.client('other')).key);
  await expect(load()).rejects.toThrow(/can not be used/);
});
