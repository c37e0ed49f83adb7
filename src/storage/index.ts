/** Facts about the objects under a connection: how long each is, and whether it is still the same. Reads no content. Sizes are bytes. */
export { createStorage, type Storage } from './storage.ts';
