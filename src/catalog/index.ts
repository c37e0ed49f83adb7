/**
 * The metadata store: datasets, connections, tags, users, roles, grants and rules as one snapshot per epoch.
 * Reads the policy directory only; it decides nothing and opens no data (column types are given to it).
 * Beside it the tables that principals make for themselves, which `withScratch` adds to each snapshot.
 * Errors: policy.invalid at start. Later faults are reported and the last good set stays in force.
 */

export { type DatasetEntry, editDataset } from './edit-catalog.ts';
export { createFileIndexStore, type FileIndexStore, type IndexSummary, sourceHash } from './file-index-store.ts';
export { createFileStore, type FileStore } from './file-store.ts';
export { createPostgresFleet, createSingleNode, type Fleet, type FleetMember, type WorkerNode, type WorkerState } from './fleet.ts';
export { createIndexFiles } from './index-files.ts';
export { openIndexTable } from './index-table.ts';
export { readFiles } from './load.ts';
export type { PolicyEditor } from './policy-editor.ts';
export { PostgresSession } from './postgres-session.ts';
export { createPostgresStore, type PostgresStore } from './postgres-store.ts';
export { CATALOG_FILE } from './read-catalog.ts';
export type { ScratchTable } from './scratch-files.ts';
export { createScratchStore, type ScratchCommit, type ScratchDraft, type ScratchStore } from './scratch-store.ts';
export { openSharedDocument, type SharedDocument } from './shared-document.ts';
export type { MetadataStore } from './types.ts';
export { scratchDirectory, withScratch } from './with-scratch.ts';
