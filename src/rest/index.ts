/**
 * The HTTP port for operators and load balancers: `/metrics`, `/healthz` (alive), `/readyz` (takes work).
 * Answers are fixed or numbers; nothing here knows a client, a statement or a dataset.
 */
export { createRestServer, type RestOptions, type RestServer } from './server.ts';
