/** One S3 connection: listing and asking about its objects. Requests are tried again with jitter, and none waits without end. */
import { HeadObjectCommand, ListObjectsV2Command, type ListObjectsV2CommandInput, S3Client } from '@aws-sdk/client-s3';
import type { S3Connection, S3Credentials, StoredFile } from '../files.ts';
import { AT_ONCE, inParallel } from './at-once.ts';
import type { CredentialCache } from './credential-cache.ts';
import { faultOf, StoreError, storageError } from './faults.ts';
import { readGlob } from './glob.ts';
import type { ListOptions } from './types.ts';

const CONNECT_MS = 5_000;
/** For a whole answer: a page of names, or the head of an object. */
const ANSWER_MS = 20_000;
const ATTEMPTS = 4;
/** Objects per page, at most, as S3 has it. */
const PAGE = 1000;
/** As many heads cost more than a page of the list: in time, and in what AWS takes for them. */
const SWEEP_MIN = 12;
/** Pages with fewer of the wanted objects are not worth while. */
const SWEEP_HITS = 50;

export class S3Store implements Disposable {
  readonly #connection: S3Connection;
  readonly #cache: CredentialCache;
  readonly #client: S3Client;

  constructor(connection: S3Connection, cache: CredentialCache) {
    this.#connection = connection;
    this.#cache = cache;
    this.#client = createClient(connection, cache);
  }

  /** As `Storage.list`; `pattern` is a key. */
  async list(pattern: string, { max, signal, onProgress }: ListOptions): Promise<readonly StoredFile[]> {
    const { prefix, matches, flat } = readGlob(pattern);
    if (matches === null) return this.#one(pattern);
    const files: StoredFile[] = [];
    for await (const page of this.#pages({ Prefix: prefix, ...(flat ? { Delimiter: '/' } : {}) }, signal)) {
      for (const [key, file] of page) if (!key.endsWith('/') && matches(key)) files.push(file);
      onProgress?.(files.length);
      if (files.length > max) break;
    }
    return files.slice(0, max + 1).sort((a, b) => (a.path < b.path ? -1 : 1));
  }

  async #one(key: string): Promise<readonly StoredFile[]> {
    try {
      return [await this.#head(key)];
    } catch (error) {
      if (isGone(error)) return [];
      throw error;
    }
  }

  /** In the order of `keys`. Rejects with storage.unavailable when one is gone. */
  async stat(keys: readonly string[]): Promise<readonly StoredFile[]> {
    const found = keys.length < SWEEP_MIN ? new Map<string, StoredFile>() : await this.#sweep(keys.toSorted());
    return inParallel(keys, AT_ONCE, async (key) => found.get(key) ?? this.#head(key));
  }

  /** Rejects with storage.unavailable when the prefix can not be listed. */
  async reachable(): Promise<void> {
    await this.#send((client) => client.send(new ListObjectsV2Command({ ...this.#place(), MaxKeys: 1 })));
  }

  async region(): Promise<string> {
    // What is nowhere to be found is the SDK's own default for stores that have no regions.
    return this.#client.config.region().catch(() => DEFAULT_REGION);
  }

  [Symbol.dispose](): void {
    this.#client.destroy();
  }

  /** What a list from the first of the keys to the last tells about them, as long as it is mostly about them. */
  async #sweep(keys: readonly string[]): Promise<ReadonlyMap<string, StoredFile>> {
    const [first = '', last = ''] = [keys[0], keys.at(-1)];
    const wanted = new Set(keys);
    const found = new Map<string, StoredFile>();
    let pages = Math.ceil(keys.length / SWEEP_HITS);
    for await (const page of this.#pages({ Prefix: commonPrefix(first, last), StartAfter: first.slice(0, -1) })) {
      for (const [key, file] of page) if (wanted.has(key)) found.set(key, file);
      if (--pages === 0 || (page.at(-1)?.[0] ?? '') >= last) break;
    }
    return found;
  }

  async *#pages(
    input: Partial<ListObjectsV2CommandInput>,
    signal?: AbortSignal,
  ): AsyncGenerator<readonly (readonly [key: string, file: StoredFile])[]> {
    const options = signal === undefined ? {} : { abortSignal: signal };
    for (let token: string | undefined, more = true; more; ) {
      const page = { ...this.#place(), ...input, MaxKeys: PAGE, ContinuationToken: token };
      const answer = await this.#send((client) => client.send(new ListObjectsV2Command(page), options));
      yield (answer.Contents ?? []).map((object) => [object.Key ?? '', this.#toFile(object.Key ?? '', object.Size, object)]);
      token = answer.NextContinuationToken;
      more = answer.IsTruncated === true && token !== undefined;
    }
  }

  async #head(key: string): Promise<StoredFile> {
    const { bucket } = this.#connection;
    const head = await this.#send((client) => client.send(new HeadObjectCommand({ Bucket: bucket, Key: key })));
    return this.#toFile(key, head.ContentLength, head);
  }

  #place(): { readonly Bucket: string; readonly Prefix: string } {
    return { Bucket: this.#connection.bucket, Prefix: this.#connection.prefix };
  }

  #toFile(
    key: string,
    bytes: number | undefined,
    object: { readonly ETag?: string | undefined; readonly LastModified?: Date | undefined },
  ): StoredFile {
    // Without an ETag what is left: whole seconds, for the head of an object has no more.
    const version = object.ETag || `${Math.floor((object.LastModified?.getTime() ?? 0) / 1000)}-${bytes}`;
    return { path: `s3://${this.#connection.bucket}/${key}`, bytes: bytes ?? 0, version };
  }

  async #credentials(): Promise<S3Credentials> {
    return this.#cache.get().catch((error: unknown) => {
      throw storageError(error);
    });
  }

  /** Once more with new credentials, when the store refuses these and there are others. */
  async #send<T>(request: (client: S3Client) => Promise<T>): Promise<T> {
    const used = await this.#credentials();
    try {
      return await request(this.#client);
    } catch (error) {
      if (faultOf(error) !== 'refused') throw storageError(error);
      this.#cache.doubt();
      if (same(await this.#credentials(), used)) throw storageError(error);
      return await request(this.#client).catch((again: unknown) => {
        throw storageError(again);
      });
    }
  }
}

const DEFAULT_REGION = 'us-east-1';

// biome-ignore lint/style/noProcessEnv: the version is pinned, so what the next ones need does not concern who runs this one
process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] ??= 'true';

function createClient(connection: S3Connection, cache: CredentialCache): S3Client {
  const { endpoint, pathStyle, credentials } = connection;
  const region = connection.region ?? (endpoint === null ? null : DEFAULT_REGION);
  const agent = { maxSockets: AT_ONCE, keepAlive: true };
  return new S3Client({
    ...(region === null ? {} : { region }),
    ...(endpoint === null ? {} : { endpoint }),
    forcePathStyle: pathStyle,
    retryMode: 'standard',
    maxAttempts: ATTEMPTS,
    requestHandler: {
      connectionTimeout: CONNECT_MS,
      requestTimeout: ANSWER_MS,
      throwOnRequestTimeout: true,
      httpAgent: agent,
      httpsAgent: agent,
    },
    // The cache alone decides how long they hold: as good as expired, they are asked for with each request.
    credentials: async () => ({ ...identityOf(await cache.get()), expiration: new Date(0) }),
    ...(credentials.kind === 'anonymous' ? { signer: { sign: async (request) => request } } : {}),
  });
}

function identityOf({ accessKeyId, secretAccessKey, sessionToken }: S3Credentials): Omit<S3Credentials, 'expiresAtMs' | 'region'> {
  return { accessKeyId, secretAccessKey, ...(sessionToken === undefined ? {} : { sessionToken }) };
}

function same(a: S3Credentials, b: S3Credentials): boolean {
  return a.accessKeyId === b.accessKeyId && a.secretAccessKey === b.secretAccessKey && a.sessionToken === b.sessionToken;
}

function isGone(error: unknown): boolean {
  return error instanceof Error && error.cause instanceof StoreError && error.cause.fault === 'gone';
}

function commonPrefix(a: string, b: string): string {
  let length = 0;
  while (length < a.length && a[length] === b[length]) length++;
  return a.slice(0, length);
}
