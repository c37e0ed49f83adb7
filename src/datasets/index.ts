/**
 * Datasets made of files: what lies below a path, its columns over time, and the index that planning reads instead of storage.
 * Reads footers and headers, never rows. Errors: dataset.invalid, dataset.exists, policy.invalid, metadata.*, storage.unavailable.
 */
export { createRegistry, type DatasetRegistry, type RegisterRequest, type RegistryReport } from './registry.ts';
