/** Nouns of files and objects: where they lie, what is known of them, what a plan reads of them. No behaviour lives here. */

/** What lies in the files of a dataset; `json` is one object per line. */
export const FILE_FORMATS = ['parquet', 'csv', 'json'] as const;
export type FileFormat = (typeof FILE_FORMATS)[number];

/** A storage service. Only what lies under a connection is ever opened. */
export type Connection =
  | { readonly kind: 'local'; readonly name: string; readonly directory: string }
  | { readonly kind: 'duckdb'; readonly name: string; readonly file: string }
  | S3Connection;

/** Objects below one prefix of one bucket of an S3-compatible store. */
export interface S3Connection {
  readonly kind: 's3';
  readonly name: string;
  readonly bucket: string;
  /** Empty, or with `/` at its end. */
  readonly prefix: string;
  /** null = what the AWS SDK finds. */
  readonly region: string | null;
  /** `http(s)://host[:port]` of a store other than AWS; null = AWS. */
  readonly endpoint: string | null;
  /** The bucket stands in the path instead of the host name. */
  readonly pathStyle: boolean;
  readonly credentials: S3CredentialSource;
}

/** Where credentials come from; a secret is always sealed with the cluster key. */
export type S3CredentialSource =
  /** The AWS SDK's chain: environment, profile, web identity, container, instance. */
  | { readonly kind: 'default' }
  | { readonly kind: 'anonymous' }
  | { readonly kind: 'profile'; readonly profile: string }
  | { readonly kind: 'static'; readonly accessKeyId: string; readonly sealedSecretAccessKey: string }
  | { readonly kind: 'webIdentity'; readonly roleArn: string; readonly tokenFile: string }
  | { readonly kind: 'assumeRole'; readonly roleArn: string; readonly externalId: string | null; readonly from: S3CredentialSource };

/** Credentials in force now; never logged, never in a ticket. */
export interface S3Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
  /** null = they do not expire. */
  readonly expiresAtMs: number | null;
  /** What requests are signed for: the connection's, or what the AWS SDK found. */
  readonly region: string;
}

/** A file or object as it was when a query was planned. */
export interface StoredFile {
  /** Absolute, or `s3://bucket/key`. */
  readonly path: string;
  readonly bytes: number;
  /** Changes with every write; the ETag of an object. */
  readonly version: string;
}

/** What is known of a dataset's files without opening them; made by `sluice dataset register` and `refresh`. */
export interface FileIndex {
  /** Dataset id. */
  readonly dataset: string;
  /** Hash of where the files were looked for (`sourceHash`): the index of another place counts as none. */
  readonly source: string;
  /** SHA-256 over the content, hex. */
  readonly version: string;
  readonly indexedAtMs: number;
  /** Names of the hive partition columns, in path order. */
  readonly partitionColumns: readonly string[];
  /** Columns whose least and greatest values are known per row group. */
  readonly rangeColumns: readonly string[];
  /** The columns, with DuckDB type text, that some files have; a file names its variant by index. */
  readonly variants: readonly (readonly { readonly name: string; readonly type: string }[])[];
  /** In reading order: by path. */
  readonly files: readonly IndexedFile[];
}

export interface IndexedFile extends StoredFile {
  readonly variant: number;
  /** Of `partitionColumns`, as the path says; null = hive's default partition. */
  readonly partition: readonly (string | null)[];
  /** null = not known (CSV, JSON). */
  readonly rowGroups: readonly RowGroup[] | null;
}

export interface RowGroup {
  readonly rows: number;
  readonly bytes: number;
  /** Of `rangeColumns`: bounds as DuckDB writes the value; null = not known. */
  readonly ranges: readonly (ValueRange | null)[];
}

/** Every value that is not NULL lies within [min, max]; all are NULL when both are null. */
export interface ValueRange {
  readonly min: string | null;
  readonly max: string | null;
  readonly hasNull: boolean;
}

/** One dataset's files as a relation. */
export interface Scan {
  /** Dataset id. */
  readonly dataset: string;
  /** Quoted and fully qualified name of the view that the worker makes; its schema is there already. */
  readonly relation: string;
  readonly format: FileFormat;
  readonly hivePartitioning: boolean;
  /** The relation's columns, in order; DuckDB type text. */
  readonly columns: readonly { readonly name: string; readonly type: string }[];
  /** In reading order; none = a relation without rows. Every file is there unchanged, or the query ends with storage.unavailable. */
  readonly parts: readonly ScanPart[];
}

/** Files that have the same columns. */
export interface ScanPart {
  readonly files: readonly StoredFile[];
  /** Columns of the scan that these files have not: NULL in each row. */
  readonly missing: readonly string[];
  /** Some of the files of a listing: nobody looked whether their types are the same. */
  readonly mixed?: boolean;
  /** Rows [from, to) of the only file; left out = all of it. */
  readonly rows?: readonly [from: number, to: number];
}
