/** S3 for an engine: the httpfs extension, the places it may read, and the secrets it reads them with. Secrets stay in memory. */
import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { SluiceError, STORAGE_FAULTS } from '../errors.ts';
import { objectPlace } from '../file-paths.ts';
import type { Connection, S3Connection, S3Credentials } from '../files.ts';
import { quoteIdentifier, quoteText } from './quoting.ts';

/** Seconds without an answer. */
const TIMEOUT_S = 30;
const RETRIES = 3;
/** Grows threefold with each retry. */
const RETRY_WAIT_MS = 100;

/** Statements before the lock. Rejects with storage.unavailable when the extension is not in its directory. */
export async function objectStoreSetup(connections: readonly Connection[], extensions: string | null): Promise<readonly string[]> {
  if (!connections.some(isS3)) return [];
  return [
    ...(extensions === null ? ['INSTALL httpfs', 'LOAD httpfs'] : [`LOAD ${quoteText(await extensionFile(extensions))}`]),
    `SET GLOBAL http_timeout = ${TIMEOUT_S}`,
    `SET GLOBAL http_retries = ${RETRIES}`,
    `SET GLOBAL http_retry_wait_ms = ${RETRY_WAIT_MS}`,
    'SET GLOBAL http_retry_backoff = 3',
    'SET GLOBAL http_keep_alive = true',
    // Object names are names: no pattern, and no parameter that could send requests elsewhere.
    'SET GLOBAL s3_url_compatibility_mode = true',
  ];
}

async function extensionFile(directory: string): Promise<string> {
  const file = join(directory, 'httpfs.duckdb_extension');
  await access(file, constants.R_OK).catch((error: unknown) => {
    throw withoutExtension(error);
  });
  return file;
}

/** The way to the extension is for the log: a client is told that the data can not be read. */
function withoutExtension(error: unknown): SluiceError {
  return new SluiceError('storage.unavailable', STORAGE_FAULTS.other, new Error(`${HOW_TO_GET}; ${String(error)}`));
}

/** What DuckDB says when it can not load the extension, with the cure. */
export function explainSetup(error: unknown, connections: readonly Connection[]): unknown {
  const cause = error instanceof SluiceError ? error.cause : error;
  return connections.some(isS3) && /extension|httpfs/i.test(String(cause)) ? withoutExtension(cause) : error;
}

const HOW_TO_GET =
  'connections of kind s3 need the DuckDB extension httpfs in the directory that SLUICE_EXTENSIONS names; get it with sluice extension install <directory>, or from the PyPI package duckdb-extension-httpfs==1.5.5';

/** Until there are others: without any, requests would go to another store than the connection's own. */
export function emptySecrets(connections: readonly Connection[]): readonly string[] {
  const nobody = { accessKeyId: '', secretAccessKey: '', expiresAtMs: null };
  return connections.filter(isS3).map((connection) => secretStatement(connection, { ...nobody, region: connection.region ?? 'us-east-1' }));
}

/** What the sandbox may open of S3. */
export function objectPlaces(connections: readonly Connection[]): readonly string[] {
  return connections.filter(isS3).map(objectPlace);
}

function isS3(connection: Connection): connection is S3Connection {
  return connection.kind === 's3';
}

/** Replaces what the connection was read with so far. The text holds the secret: it must not come into an error. */
export function secretStatement(connection: S3Connection, credentials: S3Credentials): string {
  const { accessKeyId, secretAccessKey, sessionToken, region } = credentials;
  const endpoint = connection.endpoint === null ? null : new URL(connection.endpoint);
  const options = [
    'TYPE s3',
    'PROVIDER config',
    `SCOPE ${quoteText(objectPlace(connection))}`,
    `REGION ${quoteText(region)}`,
    `KEY_ID ${quoteText(accessKeyId)}`,
    `SECRET ${quoteText(secretAccessKey)}`,
    ...(sessionToken === undefined ? [] : [`SESSION_TOKEN ${quoteText(sessionToken)}`]),
    `URL_STYLE ${quoteText(connection.pathStyle ? 'path' : 'vhost')}`,
    ...(endpoint === null ? [] : [`ENDPOINT ${quoteText(endpoint.host)}`, `USE_SSL ${endpoint.protocol === 'https:'}`]),
  ];
  return `CREATE OR REPLACE SECRET ${quoteIdentifier(`s3_${connection.name}`)} (${options.join(', ')})`;
}
