/** The settings that say who comes in: sessions, tokens, TLS and an OpenID provider. Part of the table in settings.ts. */
import { isTrustedUrl } from './auth/index.ts';
import { attributeClaims, duration, durationUpTo, list, nonEmpty, oneOf, optional, path } from './setting-values.ts';
import type { Setting } from './settings.ts';

export const IDENTITY_SETTINGS: Readonly<Record<string, Setting>> = {
  SLUICE_SESSION_MAX: {
    key: 'sessionMaxMs',
    default: '12h',
    parse: duration(1000),
    doc: 'How long after its login a session ends, however much it is used.',
  },
  SLUICE_TOKEN_TTL: {
    key: 'tokenTtlMs',
    default: '90d',
    parse: duration(60_000),
    doc: 'Lifetime of a personal access token that is made without `EXPIRES IN`.',
  },
  SLUICE_TOKEN_TTL_MAX: {
    key: 'tokenTtlMaxMs',
    default: '365d',
    parse: duration(60_000),
    doc: 'Longest lifetime of a personal access token.',
  },
  SLUICE_TLS_CERT: {
    key: 'tlsCertificate',
    default: '',
    parse: optional(path),
    doc: 'PEM file with the certificate of the Flight SQL server and the chain above it. Read again when it changes. Empty: no TLS.',
  },
  SLUICE_TLS_KEY: { key: 'tlsKey', default: '', parse: optional(path), doc: 'PEM file with the private key of the certificate.' },
  SLUICE_TLS_CLIENT_AUTH: {
    key: 'tlsClientAuth',
    default: 'none',
    parse: oneOf('none', 'require'),
    doc: '`require`: every client must show a certificate; one named in users.yaml is a login.',
  },
  SLUICE_TLS_CLIENT_CA: {
    key: 'tlsClientAuthority',
    default: '',
    parse: optional(path),
    doc: 'PEM file with the authorities that sign client certificates.',
  },
  SLUICE_OIDC_ISSUER: {
    key: 'oidcIssuer',
    default: '',
    parse: optional(trustedUrl),
    doc: 'OpenID provider whose JSON Web Tokens are accepted as bearers, exactly as their `iss` says. Empty: none.',
  },
  SLUICE_OIDC_AUDIENCE: {
    key: 'oidcAudiences',
    default: '',
    parse: list,
    doc: 'What `aud` of such a token must hold; of several, separated by commas, one.',
  },
  SLUICE_OIDC_JWKS_URL: {
    key: 'oidcJwksUrl',
    default: '',
    parse: optional(trustedUrl),
    doc: "Where the provider's signing keys are. Empty: as its discovery document says.",
  },
  SLUICE_OIDC_SUBJECT_CLAIM: {
    key: 'oidcSubjectClaim',
    default: 'sub',
    parse: nonEmpty,
    doc: 'Claim that names the caller; the principal is `oidc:` and its value. `email` counts only with `email_verified`.',
  },
  SLUICE_OIDC_GROUPS_CLAIM: {
    key: 'oidcGroupsClaims',
    default: 'groups',
    parse: list,
    doc: 'Claims whose values become groups `oidc:<value>`, separated by commas; dots step into objects: `groups, realm_access.roles`.',
  },
  SLUICE_OIDC_ATTRIBUTES: {
    key: 'oidcAttributes',
    default: '',
    parse: attributeClaims,
    doc: 'Attributes from claims: `region=custom.region, team`.',
  },
  SLUICE_OIDC_GRACE: {
    key: 'oidcGraceMs',
    default: '0s',
    parse: duration(0),
    doc: 'How long a session may outlive the JSON Web Token it was made from.',
  },
  SLUICE_CLOCK_SKEW: {
    key: 'clockSkewMs',
    default: '60s',
    parse: durationUpTo(600_000),
    doc: "How far the OpenID provider's clock, and the clocks of a cluster's nodes among each other, may be off; at most 10 minutes.",
  },
};

/** Whoever can change what such a page says can sign in as anybody. */
function trustedUrl(text: string): string {
  if (!isTrustedUrl(text)) throw new Error('must be an https URL; plain http is for loopback only');
  return text;
}
