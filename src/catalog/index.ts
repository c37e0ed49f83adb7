/**
 * The metadata store: datasets, connections, tags, users, roles, grants and rules as one snapshot per epoch.
 * Reads the policy directory only; it decides nothing and opens no data (column types are given to it).
 * Errors: policy.invalid at start. Later faults are reported and the last good set stays in force.
 */
export { createFileStore, type FileStore } from './file-store.ts';
