/** Who may come in, as the settings say: TLS, passwords, tokens and an OpenID provider, over the users of the policy in force. */
import { join } from 'node:path';
import {
  type Authenticator,
  createAuthenticator,
  createSharedTokenStore,
  createTokenStore,
  createTokens,
  type OidcOptions,
  type Tokens,
} from './auth/index.ts';
import type { Config } from './config.ts';
import { createTlsCredentials, type TlsCredentials } from './flight/index.ts';
import type { Logger } from './log.ts';
import type { Metadata } from './metadata.ts';
import type { Snapshot } from './model.ts';
import type { Sealer } from './wire/index.ts';

export interface Identity {
  readonly authenticator: Authenticator;
  readonly tokens: Tokens;
}

/** Rejects with auth.unavailable when the stored tokens do not read. */
export async function openIdentity(config: Config, metadata: Metadata, sealer: Sealer, logger: Logger): Promise<Identity> {
  const tokens = await openTokens(config, metadata);
  const retain = ({ users }: Snapshot): Promise<void> => tokens.retain(users.map(({ name }) => name));
  await retain(metadata.current().snapshot);
  metadata.watch((snapshot) => {
    retain(snapshot).catch((error: unknown) => logger.error({ err: error }, 'the tokens of removed users were not removed'));
  });
  const { sessionTtlMs, sessionMaxMs } = config;
  const users = (): Snapshot['users'] => metadata.current().snapshot.users;
  return { tokens, authenticator: createAuthenticator({ users, sealer, sessionTtlMs, sessionMaxMs, tokens, oidc: oidcOptions(config) }) };
}

/** In the metadata database where there is one, so that all nodes know them; the command line works on the same. */
export async function openTokens(config: Config, metadata: Pick<Metadata, 'shared'>): Promise<Tokens> {
  const { stateDirectory, tokenTtlMs: ttlMs, tokenTtlMaxMs: ttlMaxMs } = config;
  const shared = await metadata.shared('tokens');
  const store = shared === null ? createTokenStore(join(stateDirectory, 'tokens.json')) : createSharedTokenStore(shared);
  return createTokens(store, { ttlMs, ttlMaxMs });
}

/** null without TLS. Rejects with config.invalid. */
export async function openTls({ tlsCertificate, tlsKey, tlsClientAuthority }: Config, logger: Logger): Promise<TlsCredentials | null> {
  if (tlsCertificate === null || tlsKey === null) return null;
  return createTlsCredentials({ certificateFile: tlsCertificate, keyFile: tlsKey, clientAuthorityFile: tlsClientAuthority, logger });
}

function oidcOptions(config: Config): OidcOptions | null {
  const { oidcIssuer: issuer, oidcAudiences: audiences, oidcJwksUrl: jwksUrl, clockSkewMs, oidcGraceMs: graceMs } = config;
  const claims = { subject: config.oidcSubjectClaim, groups: config.oidcGroupsClaims, attributes: config.oidcAttributes };
  return issuer === null ? null : { issuer, audiences, jwksUrl, claims, clockSkewMs, graceMs };
}
