/**
 * Who is calling: password, personal access token, JSON Web Token, client certificate or session bearer → principal.
 * Decides nothing about data. Sessions are sealed tokens, so any server of the cluster reads them. Owns jose.
 * Times are milliseconds. Errors: auth.*, token.invalid, policy.denied (token commands), limit.busy.
 */
export type { Authenticated, Authenticator, Evidence } from './authenticator.ts';
export { createAuthenticator } from './authenticator.ts';
export type { ClientCertificate } from './certificates.ts';
export { isTrustedUrl } from './fetch-json.ts';
export type { OidcOptions } from './oidc.ts';
export { hashPassword } from './password.ts';
export { createSharedTokenStore, createTokenStore } from './token-store.ts';
export type { Tokens } from './tokens.ts';
export { createTokens } from './tokens.ts';
