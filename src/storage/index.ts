/**
 * Facts about the files and objects under a connection: which there are, how long each is, whether it is still the same; and the
 * credentials that open them. Reads no content. Owns the AWS SDK. Sizes are bytes. Errors: storage.unavailable.
 */
export { inParallel } from './at-once.ts';
export { createStorage } from './storage.ts';
export type { CredentialEvent, ListOptions, Storage, StorageOptions } from './types.ts';
