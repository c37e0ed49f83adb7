import { resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { flagOf, QUICKSTART_DIRECTORY, readConfig } from '#src/config.js';
import { SETTINGS } from '#src/settings.js';

const problemsOf = (flags: readonly string[], environment: Record<string, string> = {}): readonly string[] => {
  try {
    readConfig(flags, environment);
  } catch (error) {
    return (error as Error).message.split('\n');
  }
  return [];
};

describe('settings', () => {
  test('defaults are complete, on loopback, and frozen', () => {
    const config = readConfig([], {});
    expect(config).toMatchObject({ flightHost: '127.0.0.1', flightPort: 8815, role: 'all', policyDirectory: QUICKSTART_DIRECTORY });
    expect(config.clusterKey).toBeNull();
    expect(Object.isFrozen(config)).toBe(true);
    expect(Object.values(config)).not.toContain(undefined);
    for (const { key } of Object.values(SETTINGS)) if (key !== 'flightListen') expect(config).toHaveProperty(key);
  });

  test('a flag wins over the environment, in both spellings', () => {
    const environment = { SLUICE_MEMORY_LIMIT: '1GB' };
    expect(readConfig([], environment).memoryLimitBytes).toBe(1024 ** 3);
    expect(readConfig(['--memory-limit', '512MB'], environment).memoryLimitBytes).toBe(512 * 1024 ** 2);
    expect(readConfig(['--memory-limit=512MB'], environment).memoryLimitBytes).toBe(512 * 1024 ** 2);
  });

  test('every wrong and unknown setting is reported at once', () => {
    const problems = problemsOf(['--nonsense', '--threads', 'many'], {
      SLUICE_FLIGHT_LISTEN: 'here',
      SLUICE_TYPO: '1',
      SLUICE_ROLE: 'boss',
      HOME: '/root',
    });
    expect(problems).toHaveLength(5);
    expect(problems.join(' ')).toMatch(
      /SLUICE_TYPO is not a setting.*--nonsense is not a setting.*SLUICE_ROLE must be one of.*SLUICE_FLIGHT_LISTEN must be host:port.*SLUICE_THREADS must be a whole number/s,
    );
  });

  test('the demo and plaintext stay on loopback', () => {
    const wide = { SLUICE_FLIGHT_LISTEN: '0.0.0.0:8815' };
    expect(problemsOf([], wide).join()).toContain('well known');
    expect(problemsOf(['--policies', 'mine'], wide).join()).toContain('without TLS');
    const allowed = readConfig(['--policies', 'mine', '--plaintext-network', 'allow'], wide);
    expect(allowed).toMatchObject({ flightHost: '0.0.0.0', policyDirectory: resolve('mine') });
    expect(problemsOf(['--policies', QUICKSTART_DIRECTORY], wide).join()).toContain('well known');
  });

  test('the HTTP port is off, and stays on loopback unless plaintext is allowed', () => {
    expect(readConfig([], {}).httpListen).toBeNull();
    expect(readConfig(['--http-listen', '127.0.0.1:0'], {}).httpListen).toEqual({ host: '127.0.0.1', port: 0 });
    expect(problemsOf(['--http-listen', '0.0.0.0:9100']).join()).toMatch(/SLUICE_HTTP_LISTEN must be on loopback/);
    expect(readConfig(['--http-listen', '0.0.0.0:9100', '--plaintext-network', 'allow'], {}).httpListen?.host).toBe('0.0.0.0');
    expect(readConfig(['--http-listen', '0.0.0.0:9100', '--http-plaintext', 'allow'], {}).httpListen?.host).toBe('0.0.0.0');
  });

  test('a plain HTTP port opens no plain Flight port', () => {
    const wide = { SLUICE_FLIGHT_LISTEN: '0.0.0.0:8815', SLUICE_HTTP_PLAINTEXT: 'allow' };
    expect(problemsOf(['--policies', 'mine'], wide).join()).toContain('SLUICE_FLIGHT_LISTEN must be on loopback without TLS');
  });

  test('with TLS the network is open, but never with the demo passwords', () => {
    const tls = { SLUICE_FLIGHT_LISTEN: '0.0.0.0:8815', SLUICE_TLS_CERT: 'c.pem', SLUICE_TLS_KEY: 'k.pem' };
    expect(readConfig(['--policies', 'mine'], tls)).toMatchObject({ flightHost: '0.0.0.0', tlsCertificate: resolve('c.pem') });
    expect(problemsOf([], tls).join()).toContain('well known');
  });

  test.each([
    [{ SLUICE_TLS_CERT: 'c' }, 'set both or none'],
    [{ SLUICE_TLS_KEY: 'k' }, 'set both or none'],
    [{ SLUICE_TLS_CLIENT_AUTH: 'require' }, 'needs SLUICE_TLS_CERT'],
    [{ SLUICE_TLS_CLIENT_AUTH: 'require', SLUICE_TLS_CERT: 'c', SLUICE_TLS_KEY: 'k' }, 'SLUICE_TLS_CLIENT_CA'],
    [{ SLUICE_TLS_CERT: 'c', SLUICE_TLS_KEY: 'k', SLUICE_TLS_CLIENT_CA: 'a' }, 'has no effect'],
    [{ SLUICE_OIDC_ISSUER: 'https://id.example' }, 'needs SLUICE_OIDC_AUDIENCE'],
    [{ SLUICE_OIDC_ISSUER: 'http://id.example', SLUICE_OIDC_AUDIENCE: 'a' }, 'must be an https URL'],
    [{ SLUICE_OIDC_JWKS_URL: 'file:///etc/passwd' }, 'must be an https URL'],
    [{ SLUICE_OIDC_ATTRIBUTES: 'a-b=c' }, 'must be attribute=claim'],
    [{ SLUICE_CLOCK_SKEW: '1h' }, 'must be at most 10m'],
  ])('%j is half a protection or none', (environment, problem) => {
    expect(problemsOf([], environment as Record<string, string>).join()).toContain(problem);
  });

  test('what is known of an OpenID provider', () => {
    const environment = {
      SLUICE_OIDC_ISSUER: 'https://id.example/realm',
      SLUICE_OIDC_AUDIENCE: 'sluice, other',
      SLUICE_OIDC_GROUPS_CLAIM: 'groups, realm_access.roles',
      SLUICE_OIDC_ATTRIBUTES: 'region=https://example.com/region, team',
    };
    expect(readConfig([], environment)).toMatchObject({
      oidcIssuer: 'https://id.example/realm',
      oidcAudiences: ['sluice', 'other'],
      oidcGroupsClaims: ['groups', 'realm_access.roles'],
      oidcAttributes: { region: 'https://example.com/region', team: 'team' },
      clockSkewMs: 60_000,
      oidcGraceMs: 0,
    });
  });

  test('IPv6 addresses and port 0 are understood', () => {
    expect(readConfig(['--flight-listen', '[::1]:0'], {})).toMatchObject({ flightHost: '::1', flightPort: 0 });
  });

  test('flags are the variables in lower case', () => {
    expect(flagOf('SLUICE_FLIGHT_LISTEN')).toBe('--flight-listen');
  });
});
