/** A real S3 server of the test's own (VersityGW over a directory that goes away with it), on a loopback port. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { createReadStream, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import {
  CreateBucketCommand,
  DeleteObjectCommand,
  HeadObjectCommand,
  PutBucketPolicyCommand,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { S3_SERVER_BINARY } from '#testbed';
import { freePort } from './postgres.ts';

export interface S3Account {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

export interface S3Server extends AsyncDisposable {
  /** http://127.0.0.1:port; buckets stand in the path. */
  readonly url: string;
  readonly port: number;
  readonly region: string;
  /** May do everything. */
  readonly root: S3Account;
  createBucket(name: string): Promise<void>;
  /** Writes bytes, or the file at an absolute path; gives the ETag with its quotes. */
  put(bucket: string, key: string, content: Uint8Array | { readonly file: string }): Promise<string>;
  /** Every file below a directory, under `prefix`, which ends with `/` or is empty. */
  putDirectory(bucket: string, prefix: string, directory: string): Promise<void>;
  /** Fails when there is none. */
  etag(bucket: string, key: string): Promise<string>;
  delete(bucket: string, key: string): Promise<void>;
  /** Sees every bucket. In force for the next request. */
  createAccount(account: S3Account): Promise<void>;
  /** In force for the next request. */
  deleteAccount(accessKeyId: string): Promise<void>;
  /** Lets everybody list and read a bucket without credentials. */
  openToAll(bucket: string): Promise<void>;
  /** The server's process is gone; data and port stay. */
  stop(): Promise<void>;
  start(): Promise<void>;
}

const REGION = 'us-east-1';
const ROOT: S3Account = { accessKeyId: 'rootkey', secretAccessKey: 'rootsecret-0123' };
/** Objects written at the same time. */
const AT_ONCE = 16;
const READY_MS = 60_000;

export async function startS3(): Promise<S3Server> {
  // Sluice runs on the Node that it says; the SDK's advice about newer ones is for its own release notes.
  process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] ??= 'true';
  const directory = mkdtempSync(join(tmpdir(), 's3-'));
  for (const name of ['data', 'iam']) mkdirSync(join(directory, name));
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  let running: ChildProcess | null = null;
  const start = async (): Promise<void> => {
    running ??= await launch(directory, port);
  };
  const stop = async (): Promise<void> => {
    const child = running;
    running = null;
    if (child !== null) await end(child);
  };
  await start();
  const client = new S3Client({ region: REGION, endpoint: url, forcePathStyle: true, credentials: { ...ROOT } });
  const put: S3Server['put'] = async (bucket, key, content) => {
    const body = content instanceof Uint8Array ? content : createReadStream(content.file);
    const length = content instanceof Uint8Array ? content.byteLength : statSync(content.file).size;
    const { ETag } = await client.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: body, ContentLength: length }));
    return ETag ?? '';
  };
  return {
    url,
    port,
    region: REGION,
    root: ROOT,
    start,
    stop,
    put,
    createBucket: async (name) => void (await client.send(new CreateBucketCommand({ Bucket: name }))),
    putDirectory: async (bucket, prefix, from) => {
      const files = readdirSync(from, { recursive: true, encoding: 'utf8' }).filter((name) => statSync(join(from, name)).isFile());
      for (let at = 0; at < files.length; at += AT_ONCE)
        await Promise.all(files.slice(at, at + AT_ONCE).map((name) => put(bucket, prefix + name, { file: join(from, name) })));
    },
    etag: async (bucket, key) => (await client.send(new HeadObjectCommand({ Bucket: bucket, Key: key }))).ETag ?? '',
    delete: async (bucket, key) => void (await client.send(new DeleteObjectCommand({ Bucket: bucket, Key: key }))),
    createAccount: ({ accessKeyId, secretAccessKey }) =>
      administer(url, 'create-user', '--access', accessKeyId, '--secret', secretAccessKey, '--role', 'admin'),
    deleteAccount: (accessKeyId) => administer(url, 'delete-user', '--access', accessKeyId),
    openToAll: async (bucket) => void (await client.send(new PutBucketPolicyCommand({ Bucket: bucket, Policy: readableByAll(bucket) }))),
    [Symbol.asyncDispose]: async () => {
      client.destroy();
      await stop();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** Resolves when it answers. */
async function launch(directory: string, port: number): Promise<ChildProcess> {
  const options = ['--port', `127.0.0.1:${port}`, '--region', REGION, '--quiet', '--health', '/health'];
  const accounts = ['--iam-dir', join(directory, 'iam'), '--iam-cache-disable'];
  const child = spawn(S3_SERVER_BINARY, [...options, ...accounts, 'posix', join(directory, 'data')], {
    env: { ROOT_ACCESS_KEY: ROOT.accessKeyId, ROOT_SECRET_KEY: ROOT.secretAccessKey },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output = (output + chunk).slice(-4000)));
  let failure: Error | null = null;
  child.once('error', (error) => (failure = error));
  const deadline = Date.now() + READY_MS;
  while (!(await answers(port))) {
    const ended = failure ?? (child.exitCode === null ? null : new Error(`the S3 server ended with ${child.exitCode}\n${output}`));
    if (ended !== null) throw ended;
    if (Date.now() > deadline) {
      child.kill('SIGKILL');
      throw new Error(`the S3 server does not answer\n${output}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  // The tests' process may end before its server does.
  const kill = (): void => void child.kill('SIGKILL');
  process.once('exit', kill);
  child.once('exit', () => process.off('exit', kill));
  return child;
}

async function answers(port: number): Promise<boolean> {
  const response = await fetch(`http://127.0.0.1:${port}/health`).catch(() => null);
  await response?.body?.cancel();
  return response?.ok === true;
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await ended;
}

async function administer(url: string, ...command: string[]): Promise<void> {
  const { accessKeyId, secretAccessKey } = ROOT;
  await promisify(execFile)(S3_SERVER_BINARY, ['admin', '-a', accessKeyId, '-s', secretAccessKey, '-er', url, ...command]);
}

function readableByAll(bucket: string): string {
  const resources = [`arn:aws:s3:::${bucket}`, `arn:aws:s3:::${bucket}/*`];
  const actions = ['s3:ListBucket', 's3:GetObject'];
  return JSON.stringify({ Version: '2012-10-17', Statement: [{ Effect: 'Allow', Principal: '*', Action: actions, Resource: resources }] });
}
