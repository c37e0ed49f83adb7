/** The face of storage: facts about files and objects, and the credentials that open them. */
import type { Connection, S3Connection, S3Credentials, StoredFile } from '../files.ts';

export interface ListOptions {
  /** Most files; one more than that ends the listing. */
  readonly max: number;
  readonly signal?: AbortSignal;
  /** Files found so far, after each page. */
  readonly onProgress?: (found: number) => void;
}

export interface Storage extends Disposable {
  /**
   * The files that a trusted path or pattern below a connection means, ordered by path; `max + 1` when there are more than `max`.
   * Names that begin with `.` or `_` are passed over, as Hive and Spark do, except partitions (`_a=1`) and where the pattern names them.
   * Rejects with storage.unavailable.
   */
  list(connections: readonly Connection[], pattern: string, options: ListOptions): Promise<readonly StoredFile[]>;
  /** Lengths and versions, in the order of `paths`. Rejects with storage.unavailable, also when one is gone. */
  stat(connections: readonly Connection[], paths: readonly string[]): Promise<readonly StoredFile[]>;
  /** Rejects with storage.unavailable when a file is gone or was written since. */
  verify(connections: readonly Connection[], files: readonly StoredFile[]): Promise<void>;
  /** What is in force now: kept, renewed before it expires, asked for once at a time. Rejects with storage.unavailable. */
  credentials(connection: S3Connection): Promise<S3Credentials>;
  /** Rejects with storage.unavailable when the connection's place can not be listed. */
  reachable(connection: Connection): Promise<void>;
  /** How often credentials were got, and how often there were none to get. */
  stats(): { readonly renewals: number; readonly failures: number };
}

export interface StorageOptions {
  /** Opens what `sluice secret seal` printed. Throws where it was sealed with another key. */
  readonly openSecret: (sealed: string) => string;
  /** Files of local directories that a pattern means, at most `max`: the engine's own reading of patterns. */
  readonly glob: (connections: readonly Connection[], pattern: string, max: number) => Promise<readonly string[]>;
  readonly now?: () => number;
  /** For a human's log: a connection's name and what happened; no secret. */
  readonly onCredentials?: (event: CredentialEvent) => void;
}

export interface CredentialEvent {
  readonly connection: string;
  readonly outcome: 'renewed' | 'failed';
  readonly cause?: unknown;
}
