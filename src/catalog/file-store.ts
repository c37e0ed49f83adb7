/** The policy directory as a metadata store: hot reload, all or nothing. */
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fail } from '../errors.ts';
import type { Mask, Predicate, Snapshot } from '../model.ts';
import { ColumnCache } from './columns.ts';
import { createDirectoryEditor } from './directory-editor.ts';
import { type Loaded, type LoadOptions, loadSnapshot, POLICY_FILES, readFiles } from './load.ts';
import type { PolicyEditor } from './policy-editor.ts';
import { SnapshotFeed } from './snapshot-feed.ts';
import type { ColumnsDraft, MetadataStore, ResolvedColumns } from './types.ts';
import { signatureOf, watchDirectory } from './watch.ts';

const SETTLE_MS = 80;

export interface FileStoreOptions {
  readonly directory: string;
  /** Rejects on text outside the filter language. */
  readonly parsePredicate: (text: string) => Promise<Predicate>;
  readonly supportsMask: (mask: Mask, type: string) => boolean;
  /** Column types by dataset id, or why they can not be known. Asked again only when sources change, or on `reload`. */
  readonly resolveColumns: (draft: ColumnsDraft) => Promise<ResolvedColumns>;
  /** Everything between the files that does not resolve: `checkPolicy` of the policy folder. */
  readonly check: LoadOptions['check'];
  /** `${data}` in paths. */
  readonly dataDirectory?: string;
  /** More `${name}` in paths. */
  readonly variables?: Readonly<Record<string, string>>;
  /** Whether http:// endpoints may be beyond loopback. */
  readonly plaintextNetwork?: boolean;
  /** All faults of the set just read, `file:line: text`; a refused set leaves the last good one in force. */
  readonly onProblems: (problems: readonly string[]) => void;
  /** An edit counts as finished when the files stood still for so many milliseconds. Default: 80. */
  readonly settleMs?: number;
}

export interface FileStore extends MetadataStore {
  readonly editor: PolicyEditor;
  /** Reads everything again, the sources' columns too. Faults go to `onProblems`. */
  reload(): Promise<void>;
}

/** Rejects with policy.invalid, naming every fault, when the directory does not load at start. */
export async function createFileStore(options: FileStoreOptions): Promise<FileStore> {
  const store = new DirectoryStore(options);
  await store.start();
  return store;
}

class DirectoryStore implements FileStore {
  readonly editor: PolicyEditor;
  readonly #directory: string;
  readonly #options: FileStoreOptions;
  readonly #load: LoadOptions;
  readonly #feed: SnapshotFeed;
  #signature = '';
  #watcher: Disposable | undefined;
  /** Loads run one after the other. */
  #work: Promise<void> = Promise.resolve();
  #checking = false;
  #closed = false;

  constructor(options: FileStoreOptions) {
    this.#directory = resolve(options.directory);
    this.#options = options;
    this.#feed = new SnapshotFeed(options.onProblems);
    const data = options.dataDirectory === undefined ? {} : { data: options.dataDirectory };
    const variables = new Map(Object.entries({ ...data, ...options.variables }));
    this.#load = {
      ...options,
      base: { directory: this.#directory, variables, plaintextNetwork: options.plaintextNetwork === true },
      columns: new ColumnCache(options.resolveColumns),
    };
    this.editor = createDirectoryEditor({
      directory: this.#directory,
      load: this.#load,
      reload: () => this.#enqueue(() => this.#refresh()),
    });
  }

  async start(): Promise<void> {
    const { loaded, signature } = await this.#read();
    if (loaded.snapshot === null) fail('policy.invalid', `the policy directory does not load:\n  ${loaded.problems.join('\n  ')}`);
    this.#signature = signature;
    this.#accept(loaded.snapshot);
    if (loaded.problems.length > 0) this.#options.onProblems(loaded.problems);
    this.#watcher = watchDirectory(this.#directory, () => this.#noticed());
  }

  current(): Snapshot {
    return this.#feed.current();
  }

  watch(listener: (snapshot: Snapshot) => void): () => void {
    return this.#feed.watch(listener);
  }

  reload(): Promise<void> {
    this.#load.columns.forget();
    return this.#enqueue(() => this.#refresh());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    this.#watcher?.[Symbol.dispose]();
    this.#feed.close();
    await this.#work;
  }

  /** Many events become one look. */
  #noticed(): void {
    if (this.#checking || this.#closed) return;
    this.#checking = true;
    const look = async (): Promise<void> => {
      this.#checking = false;
      if ((await signatureOf(this.#directory, POLICY_FILES)) !== this.#signature) await this.#refresh();
    };
    void this.#enqueue(look);
  }

  #enqueue(work: () => Promise<void>): Promise<void> {
    const guarded = async (): Promise<void> => {
      if (this.#closed) return;
      await work();
    };
    this.#work = this.#work.then(guarded);
    return this.#work;
  }

  async #refresh(): Promise<void> {
    const { loaded, signature } = await this.#read();
    if (this.#closed) return;
    this.#signature = signature;
    if (loaded.problems.length > 0) this.#options.onProblems(loaded.problems);
    if (loaded.snapshot !== null) this.#accept(loaded.snapshot);
  }

  /** Reads a set that nobody wrote to meanwhile. */
  async #read(): Promise<{ readonly loaded: Loaded; readonly signature: string }> {
    for (;;) {
      const signature = await this.#settled();
      const loaded = await this.#tryLoad();
      if (this.#closed || signature === (await signatureOf(this.#directory, POLICY_FILES))) return { loaded, signature };
    }
  }

  /** A fault of the file system or of a source is a problem like any other; the next edit tries again. */
  async #tryLoad(): Promise<Loaded> {
    try {
      return await loadSnapshot(await readFiles(this.#directory), this.#load);
    } catch (error) {
      this.#load.columns.forget();
      return {
        snapshot: null,
        problems: [`the policy directory can not be read: ${error instanceof Error ? error.message : String(error)}`],
      };
    }
  }

  async #settled(): Promise<string> {
    let signature = await signatureOf(this.#directory, POLICY_FILES);
    for (; this.#signature !== '' && !this.#closed; ) {
      await sleep(this.#options.settleMs ?? SETTLE_MS);
      const next = await signatureOf(this.#directory, POLICY_FILES);
      if (next === signature) break;
      signature = next;
    }
    return signature;
  }

  #accept(loaded: Snapshot): void {
    const before = this.#feed.last;
    if (before !== null && JSON.stringify(contentOf(before), bigintAsText) === JSON.stringify(contentOf(loaded), bigintAsText)) return;
    this.#feed.publish({ ...loaded, epoch: (before?.epoch ?? 0) + 1 });
  }
}

/** What makes two snapshots differ: the files' content and what the sources said. */
function contentOf(snapshot: Snapshot): unknown {
  return [snapshot.contentHash, snapshot.connections, snapshot.datasets, snapshot.problems];
}

function bigintAsText(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? String(value) : value;
}
