/** Where credentials come from → the credentials, by the AWS SDK. */
import { fromIni, fromNodeProviderChain, fromTemporaryCredentials, fromTokenFile } from '@aws-sdk/credential-providers';
import type { S3Connection, S3CredentialSource, S3Credentials } from '../files.ts';

type Provider = () => Promise<{
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
  readonly expiration?: Date;
}>;

/** Files are read again each time, for they may hold others. Rejects when a sealed secret does not open. */
export function credentialResolver(
  connection: S3Connection,
  openSecret: (sealed: string) => string,
): () => Promise<Omit<S3Credentials, 'region'>> {
  const provide = providerOf(connection.credentials, connection, openSecret);
  return async () => {
    const { accessKeyId, secretAccessKey, sessionToken, expiration } = await provide();
    return {
      accessKeyId,
      secretAccessKey,
      ...(sessionToken === undefined ? {} : { sessionToken }),
      expiresAtMs: expiration === undefined ? null : expiration.getTime(),
    };
  };
}

function providerOf(source: S3CredentialSource, connection: S3Connection, openSecret: (sealed: string) => string): Provider {
  // A store of one's own has its own idea of regions, its token service has not.
  const clientConfig = connection.region === null || connection.endpoint !== null ? {} : { region: connection.region };
  switch (source.kind) {
    case 'anonymous':
      return async () => ({ accessKeyId: '', secretAccessKey: '' });
    case 'static':
      return async () => ({ accessKeyId: source.accessKeyId, secretAccessKey: openSecret(source.sealedSecretAccessKey) });
    // Made anew each time: they remember what a file held.
    case 'default':
      return () => fromNodeProviderChain({ clientConfig, ignoreCache: true })();
    case 'profile':
      return () => fromIni({ profile: source.profile, clientConfig, ignoreCache: true })();
    case 'webIdentity':
      return fromTokenFile({ roleArn: source.roleArn, webIdentityTokenFile: source.tokenFile, roleSessionName: SESSION, clientConfig });
    case 'assumeRole':
      return fromTemporaryCredentials({
        masterCredentials: providerOf(source.from, connection, openSecret),
        params: {
          RoleArn: source.roleArn,
          RoleSessionName: SESSION,
          ...(source.externalId === null ? {} : { ExternalId: source.externalId }),
        },
        clientConfig,
      });
  }
}

/** What the token service's own log shows. */
const SESSION = 'sluice';
