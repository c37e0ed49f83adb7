/**
 * Who is calling: `authorization` header → principal. Decides nothing about data.
 * Passwords are scrypt hashes; sessions are sealed tokens, so any server of the cluster reads them.
 * Times are milliseconds. Errors: auth.missing, auth.invalid, limit.busy.
 */
export type { Authenticator } from './authenticator.ts';
export { createAuthenticator } from './authenticator.ts';
export { hashPassword } from './password.ts';
