/** The keys drawn from the cluster key, and the secrets of the catalog that are sealed with it. */
import { hkdfSync, randomBytes } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Config } from './config.ts';
import { fail, hasCode, STORAGE_FAULTS } from './errors.ts';
import { createSealer, type Sealer } from './wire/index.ts';

export interface ClusterKeys {
  readonly sealer: Sealer;
  /** Of the mask that makes tokens. */
  readonly token: string;
  /** Tells whether two nodes have the same key, and nothing else of it. */
  readonly check: string;
  /** What stands in catalog.yaml for a secret. */
  sealSecret(plain: string): string;
  /** Throws storage.unavailable when it was sealed with another key. */
  openSecret(sealed: string): string;
}

const SEALED = 'sealed:';

/** Reads the configured key, or the one in the state directory, which is made once. */
export async function openKeys(config: Pick<Config, 'clusterKey' | 'stateDirectory'>): Promise<ClusterKeys> {
  return deriveKeys(config.clusterKey ?? (await loadClusterKey(config.stateDirectory)));
}

/** For a command that serves nobody: without any key there are no secrets to open either. */
export async function openKeysIfThere(config: Pick<Config, 'clusterKey' | 'stateDirectory'>): Promise<ClusterKeys> {
  return deriveKeys(config.clusterKey ?? (await readClusterKey(config.stateDirectory).catch(() => randomBytes(32))));
}

/** Independent keys for sealing and for tokens, so that neither reveals the other (RFC 5869). */
function deriveKeys(master: Uint8Array): ClusterKeys {
  const derive = (info: string): Buffer => Buffer.from(hkdfSync('sha256', master, '', `sluice ${info}`, 32));
  const sealer = createSealer([{ id: '1', key: derive('seal') }]);
  return {
    sealer,
    token: derive('token').toString('hex'),
    check: derive('check').toString('hex'),
    sealSecret: (plain) => SEALED + Buffer.from(sealer.seal('secret', Buffer.from(plain))).toString('base64url'),
    openSecret: (sealed) => {
      try {
        return Buffer.from(sealer.open('secret', Buffer.from(sealed.slice(SEALED.length), 'base64url'))).toString();
      } catch (error) {
        const text = 'a secret in the catalog was sealed with another cluster key; seal it again with: sluice secret seal';
        return fail('storage.unavailable', STORAGE_FAULTS.refused, new Error(text, { cause: error }));
      }
    },
  };
}

/** Readable by the owner only. */
async function loadClusterKey(stateDirectory: string): Promise<Uint8Array> {
  await mkdir(stateDirectory, { recursive: true });
  try {
    await writeFile(join(stateDirectory, KEY_FILE), randomBytes(32).toString('base64'), { flag: 'wx', mode: 0o600 });
  } catch (error) {
    if (!hasCode(error, 'EEXIST')) throw error;
  }
  return readClusterKey(stateDirectory);
}

const KEY_FILE = 'cluster.key';

async function readClusterKey(stateDirectory: string): Promise<Uint8Array> {
  return Buffer.from(await readFile(join(stateDirectory, KEY_FILE), 'utf8'), 'base64');
}
