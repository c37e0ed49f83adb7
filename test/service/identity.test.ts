/** Who comes in, and as whom: OpenID tokens, personal access tokens, client certificates, throttled guessing, and no secret in any log. */
import { execFile } from 'node:child_process';
import { cp, mkdtemp, readFile, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Metadata } from '@grpc/grpc-js';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { QUICKSTART_DIRECTORY } from '#src/config.js';
import { connectFlight, type Failure, type FlightClientOptions, failureOf, type RawClient } from '../support/flight-client.ts';
import { decode, encode } from '../support/flight-messages.ts';
import { forgeToken, type Issuer, startIssuer } from '../support/issuer.ts';
import { PATIENCE } from '../support/patience.ts';
import { startPostgres } from '../support/postgres.ts';
import { replaceFile } from '../support/replace-file.ts';
import { STATE_DIRECTORY, startTestServer, type TestServer } from '../support/server.ts';
import { startServerProcess } from '../support/server-process.ts';
import { makeCertificates, type TestCertificates } from '../support/tls.ts';

const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
const REGIONS = 'SELECT DISTINCT region FROM demo.customers ORDER BY region';
const run = promisify(execFile);

let directory: string;
let policies: string;
let state: string;
let issuer: Issuer;
let files: TestCertificates;
let settings: Record<string, string>;
let sluice: TestServer;
let open: RawClient[] = [];

beforeAll(async () => {
  // Makes the shared demo data once.
  await (await startTestServer())[Symbol.asyncDispose]();
  directory = await mkdtemp(join(tmpdir(), 'sluice-identity-'));
  state = join(directory, 'state');
  policies = join(directory, 'policies');
  await cp(QUICKSTART_DIRECTORY, policies, { recursive: true });
  await symlinkDemo(state);
  await edit(
    'users.yaml',
    (text) => `${text}
  etl:
    passwordHash: none
    certificate: sluice://user/etl
    groups: [analysts]
    attributes: { region: APAC }
`,
  );
  await edit('policy.csv', (text) => `${text}\ng, group:oidc:analysts, analyst\n`);
  issuer = await startIssuer();
  files = await makeCertificates(join(directory, 'tls'));
  settings = {
    SLUICE_POLICIES: policies,
    SLUICE_STATE_DIR: state,
    SLUICE_OIDC_ISSUER: issuer.url,
    SLUICE_OIDC_AUDIENCE: 'sluice',
    SLUICE_OIDC_ATTRIBUTES: 'region=custom.region',
    SLUICE_CLOCK_SKEW: '0s',
  };
  sluice = await startTestServer(settings);
});

afterAll(async () => {
  for (const client of open) client.close();
  await sluice[Symbol.asyncDispose]();
  await issuer[Symbol.asyncDispose]();
  await rm(directory, { recursive: true });
});

beforeEach(() => {
  for (const client of open) client.close();
  open = [];
  issuer.fault = null;
});

async function symlinkDemo(path: string): Promise<void> {
  await cp(join(STATE_DIRECTORY, 'cluster.key'), join(path, 'cluster.key'));
  await symlink(join(STATE_DIRECTORY, 'demo'), join(path, 'demo'));
}

async function edit(file: string, change: (text: string) => string): Promise<void> {
  const path = join(policies, file);
  await replaceFile(path, change(await readFile(path, 'utf8')));
}

const connect = async (options: Omit<FlightClientOptions, 'port'>, port = sluice.port): Promise<RawClient> => {
  const client = await connectFlight({ port, ...options });
  open.push(client);
  return client;
};
const withBearer = (token: string): Promise<RawClient> => connect({ authorization: `Bearer ${token}` });
const regionsOf = async (client: RawClient): Promise<unknown[]> => (await client.rows(REGIONS)).map(({ region }) => region);
const refusalOf = async (token: string): Promise<Failure> => failureOf((await withBearer(token)).rows('SELECT 1 AS x'));
/** The bearer of an answer to a call with this header. */
const bearerOf = (client: RawClient): Promise<string> =>
  new Promise((resolve, reject) => {
    const call = client.stream('ListActions', new Uint8Array());
    call.on('metadata', (metadata: Metadata) => resolve(String(metadata.get('authorization')[0]).replace('Bearer ', '')));
    call.on('error', reject);
    call.resume();
  });
const command = async (...args: readonly string[]): Promise<string> => {
  const { stdout } = await run(process.execPath, [MAIN, ...args, '--state-dir', state, '--policies', policies]);
  return stdout.trim();
};

describe('an OpenID provider', () => {
  const analyst = { groups: ['analysts'], custom: { region: ['EU', 'APAC'] } };

  test('its groups and attributes decide, also through the session', async () => {
    const client = await withBearer(await issuer.token(analyst));
    expect(await regionsOf(client)).toEqual(['APAC', 'EU']);
    expect(await regionsOf(await withBearer(await bearerOf(client)))).toEqual(['APAC', 'EU']);
    await vi.waitFor(async () => expect((await sluice.audit()).at(-1)).toMatchObject({ principal: 'oidc:ann', via: 'oidc' }), PATIENCE);
  });

  test('without the attribute no row, without the group no dataset', async () => {
    expect(await regionsOf(await withBearer(await issuer.token({ groups: ['analysts'] })))).toEqual([]);
    for (const claims of [{}, { groups: ['analyst'] }, { groups: ['oidc:analysts'] }, { groups: 'user:steward' }]) {
      const failure = await failureOf(regionsOf(await withBearer(await issuer.token(claims))));
      expect(failure, JSON.stringify(claims)).toMatchObject({ status: 'NOT_FOUND' });
    }
  });

  test.each(['steward', 'user:steward', 'analyst_eu', 'oidc:steward', 'steward\u200b'])(
    'a subject called %j is not the local one',
    async (sub) => {
      const failure = await failureOf((await withBearer(await issuer.token({ sub }))).rows('SELECT * FROM demo.customers'));
      expect(['NOT_FOUND', 'UNAUTHENTICATED']).toContain(failure.status);
    },
  );

  test('forged, foreign and expired tokens are refused', async () => {
    const now = Math.floor(Date.now() / 1000);
    const claims = { iss: issuer.url, aud: 'sluice', sub: 'ann', exp: now + 300, ...analyst };
    const secret = Buffer.from(issuer.publicKey().padEnd(64));
    const bad = [
      forgeToken({ alg: 'none' }, claims),
      forgeToken({ alg: 'none', kid: 'k1' }, claims, 'AAAA'),
      await issuer.token(analyst, { alg: 'HS256' }, secret),
      await issuer.token({ ...analyst, iss: 'https://evil.example' }),
      await issuer.token({ ...analyst, aud: 'another-service' }),
      await issuer.token({ ...analyst, exp: now - 10 }),
      await issuer.token({ ...analyst, nbf: now + 100 }),
      await issuer.token(analyst, { kid: '../../keys' }),
      await issuer.token({ ...analyst, pad: 'x'.repeat(13_000) }),
    ];
    for (const [index, token] of bad.entries())
      expect(await refusalOf(token), `token ${index}`).toMatchObject({ status: 'UNAUTHENTICATED' });
  });

  test('a new key is found, the old one ends; an outage does not end what is known', async () => {
    const before = await issuer.token(analyst);
    expect(await regionsOf(await withBearer(before))).toEqual(['APAC', 'EU']);
    issuer.rotate('k2');
    const after = await withBearer(await issuer.token(analyst));
    await vi.waitFor(async () => expect(await regionsOf(after)).toEqual(['APAC', 'EU']), PATIENCE);
    expect(await refusalOf(before)).toMatchObject({ status: 'UNAUTHENTICATED' });
    issuer.fault = { status: 503, body: '' };
    expect(await regionsOf(await withBearer(await issuer.token(analyst)))).toEqual(['APAC', 'EU']);
  });

  test('a session ends with the token it was made from', async () => {
    const sessionOf = async (seconds: number): Promise<readonly [token: string, session: string]> => {
      const token = await issuer.token({ ...analyst, exp: Math.floor(Date.now() / 1000) + seconds });
      return [token, await bearerOf(await withBearer(token))];
    };
    // On a busy machine the first one may be over before it is shown.
    const [token, session] = await sessionOf(4).catch(() => sessionOf(40));
    expect(session).not.toBe(token);
    await vi.waitFor(async () => expect(await refusalOf(session)).toMatchObject({ status: 'UNAUTHENTICATED' }), {
      ...PATIENCE,
      interval: 500,
    });
  });
});

describe('personal access tokens', () => {
  test('by SQL: made, shown, used as bearer and as password, dropped with their sessions', async () => {
    const ann = await connect({ user: 'analyst_eu' });
    const [made] = await ann.rowsPrepared("CREATE TOKEN dashboard EXPIRES IN '30 days'");
    const token = String(made?.['token']);
    expect(token).toMatch(/^slc_/);
    const byToken = await withBearer(token);
    expect(await regionsOf(byToken)).toEqual(['EU']);
    const byPassword = await connect({ user: 'analyst_eu', password: token });
    expect(await regionsOf(byPassword)).toEqual(['EU']);
    expect((await failureOf(connect({ user: 'analyst_us', password: token }))).status).toBe('UNAUTHENTICATED');
    expect(await ann.rowsPrepared('SHOW TOKENS')).toMatchObject([{ name: 'dashboard' }]);
    expect(await failureOf(byToken.rowsPrepared('CREATE TOKEN another'))).toMatchObject({ status: 'PERMISSION_DENIED' });
    const session = await withBearer(await bearerOf(byToken));
    expect(await regionsOf(session)).toEqual(['EU']);
    await ann.rowsPrepared('DROP TOKEN dashboard');
    for (const client of [byToken, session, byPassword]) expect((await failureOf(regionsOf(client))).status).toBe('UNAUTHENTICATED');
    expect(await ann.rowsPrepared('SHOW TOKENS')).toEqual([]);
  });

  test('a principal of the OpenID provider is told why it has none', async () => {
    const client = await withBearer(await issuer.token());
    expect(await failureOf(client.rowsPrepared('CREATE TOKEN mine'))).toMatchObject({
      status: 'PERMISSION_DENIED',
      message: expect.stringContaining('OpenID provider'),
    });
  });

  test('by command line: in force at once, also the revocation, for sessions too', async () => {
    const token = await command('token', 'create', 'night job', '--user', 'analyst_us', '--expires', '2d');
    const client = await withBearer(token);
    expect(await regionsOf(client)).toEqual(['US']);
    const session = await withBearer(await bearerOf(client));
    expect(await regionsOf(session)).toEqual(['US']);
    expect(await command('token', 'list', '--user', 'analyst_us')).toMatch(/^night job {2}created \S+ {2}expires \S+ {2}used \S+$/);
    await command('token', 'revoke', 'night job', '--user', 'analyst_us');
    for (const ended of [client, session]) expect((await failureOf(regionsOf(ended))).status).toBe('UNAUTHENTICATED');
    await expect(command('token', 'revoke', 'night job', '--user', 'analyst_us')).rejects.toThrow(/there is no token/);
    await expect(command('token', 'create', 'x', '--user', 'nobody')).rejects.toThrow(/there is no user/);
    await expect(command('token', 'create', 'x', '--user', 'analyst_us', '--expires', '400d')).rejects.toThrow();
    await expect(command('token', 'list')).rejects.toThrow(/usage/);
  });

  test('end with their user, and a new user of that name inherits none', async () => {
    await edit('users.yaml', (text) =>
      text.replace('  etl:\n', '  guest2: { passwordHash: none, groups: [analysts], attributes: { region: US } }\n  etl:\n'),
    );
    const token = await vi.waitFor(() => command('token', 'create', 'x', '--user', 'guest2'), PATIENCE);
    const client = await withBearer(token);
    await vi.waitFor(async () => expect(await regionsOf(client)).toEqual(['US']), PATIENCE);
    await edit('users.yaml', (text) => text.replace('  guest2:', '  guest3:'));
    await vi.waitFor(async () => expect((await failureOf(regionsOf(client))).status).toBe('UNAUTHENTICATED'), PATIENCE);
    await vi.waitFor(async () => expect(await readFile(join(state, 'tokens.json'), 'utf8')).not.toContain('guest2'), PATIENCE);
    await edit('users.yaml', (text) => text.replace('  guest3:', '  guest2:'));
    await vi.waitFor(() => expect(sluice.server.snapshot().users.map(({ name }) => name)).toContain('guest2'), PATIENCE);
    expect((await failureOf(regionsOf(client))).status).toBe('UNAUTHENTICATED');
  });
});

describe('guessing', () => {
  test('is slowed down after five failures, alike for a name that does not exist; sessions go on', async () => {
    const session = await connect({ user: 'auditor' });
    for (const user of ['auditor', 'nobody']) {
      const failures: Failure[] = [];
      // The wait doubles: a slow machine takes longer for a guess than the first ones are.
      while (failures.length < 30 && failures.at(-1)?.status !== 'RESOURCE_EXHAUSTED')
        failures.push(await failureOf(connect({ user, password: `guess ${failures.length}` })));
      expect(failures.slice(0, 6).map(({ status }) => status)).toEqual(Array(6).fill('UNAUTHENTICATED'));
      expect(failures.at(-1)?.message).toMatch(/^too many failed logins; try again in \d+ s$/);
    }
    await session.info('CommandGetTables');
    const client = await vi.waitFor(() => connect({ user: 'auditor' }), PATIENCE);
    await client.info('CommandGetTables');
  });
});

describe('the first authentication of Flight', () => {
  /** What the last answer's `auth-token-bin` said. */
  let shown: string | undefined;
  const handshake = (username: string, password: string): Promise<string> =>
    new Promise((resolve, reject) => {
      const client = connect({});
      const payload = encode('BasicAuth', { username, password });
      const identity = (bytes: Buffer): Buffer => bytes;
      client.then(({ grpc }) => {
        const call = grpc.makeBidiStreamRequest('/arrow.flight.protocol.FlightService/Handshake', identity, identity, new Metadata());
        call.on('metadata', (headers: Metadata) => {
          shown = headers.get('auth-token-bin')[0]?.toString();
        });
        call.on('data', (message: Buffer) =>
          resolve(Buffer.from(decode<{ payload: Uint8Array }>('HandshakeResponse', message).payload).toString()),
        );
        call.on('error', reject);
        call.write(Buffer.from(encode('HandshakeRequest', { payload })));
        call.end();
      }, reject);
    });

  test('user and password in the payload give a token in the payload and in a header, good as auth-token-bin', async () => {
    const token = await handshake('analyst_eu', 'analyst_eu-demo');
    expect(shown).toBe(token);
    const client = await connect({});
    const metadata = new Metadata();
    metadata.set('auth-token-bin', Buffer.from(token));
    client.metadata = () => metadata;
    expect(await regionsOf(client)).toEqual(['EU']);
    metadata.set('auth-token-bin', Buffer.from(`${token}x`));
    expect((await failureOf(regionsOf(client))).status).toBe('UNAUTHENTICATED');
  });

  test('a wrong password and an unknown name fail alike', async () => {
    const failures = await Promise.all([
      failureOf(handshake('analyst_eu', 'x')),
      failureOf(handshake('stranger', 'x')),
      failureOf(handshake('a:b', 'x')),
    ]);
    expect(failures).toEqual(Array(3).fill({ status: 'UNAUTHENTICATED', message: 'user or password is wrong' }));
  });
});

describe('TLS', () => {
  let secure: TestServer;
  const tls = async (name?: string) => ({ authority: files.authority.certificate, ...(name === undefined ? {} : await clientOf(name)) });
  const clientOf = (name: string) => files.client(name, { uris: [`sluice://user/${name}`] });
  const connectTls = async (options: Omit<FlightClientOptions, 'port' | 'tls'>, name?: string): Promise<RawClient> =>
    connect({ host: 'localhost', ...options, tls: await tls(name) }, secure.port);

  beforeAll(async () => {
    secure = await startTestServer({
      ...settings,
      SLUICE_TLS_CERT: files.serverCertificateFile,
      SLUICE_TLS_KEY: files.serverKeyFile,
      SLUICE_TLS_CLIENT_AUTH: 'require',
      SLUICE_TLS_CLIENT_CA: files.authorityFile,
    });
  });
  afterAll(() => secure[Symbol.asyncDispose]());

  test('a client certificate is a login; the session it gives too', async () => {
    const client = await connectTls({}, 'etl');
    expect(await regionsOf(client)).toEqual(['APAC']);
    expect(await regionsOf(await connectTls({ authorization: `Bearer ${await bearerOf(client)}` }, 'etl'))).toEqual(['APAC']);
    await vi.waitFor(async () => expect((await secure.audit()).at(-1)).toMatchObject({ principal: 'etl', via: 'certificate' }), PATIENCE);
  });

  test('a certificate of nobody known is no login, but lets one log in', async () => {
    expect((await failureOf(regionsOf(await connectTls({}, 'laptop')))).status).toBe('UNAUTHENTICATED');
    expect(await regionsOf(await connectTls({ user: 'analyst_eu' }, 'laptop'))).toEqual(['EU']);
  });

  test('beside somebody’s certificate nobody else’s password, session or token counts', async () => {
    const stolen = `Bearer ${await bearerOf(await connectTls({ user: 'steward' }, 'laptop'))}`;
    for (const options of [{ authorization: stolen }, { authorization: `Bearer ${await issuer.token()}` }]) {
      expect((await failureOf(regionsOf(await connectTls(options, 'etl')))).status).toBe('UNAUTHENTICATED');
    }
    expect((await failureOf(connectTls({ user: 'steward' }, 'etl'))).status).toBe('UNAUTHENTICATED');
  });

  test('without a certificate, with one of a stranger’s authority and in plaintext there is no connection', async () => {
    const stranger = (await makeCertificates(join(directory, 'stranger'))).authority.issue({
      commonName: 'etl',
      usage: 'client',
      uris: ['sluice://user/etl'],
    });
    const strange = { authority: files.authority.certificate, certificate: stranger.certificate, key: stranger.key };
    for (const options of [{ tls: await tls() }, { tls: strange }, {}]) {
      const client = await connect({ host: 'localhost', ...options }, secure.port);
      expect((await failureOf(client.rows('SELECT 1 AS x'))).status).toBe('UNAVAILABLE');
    }
  });

  test('large results come whole, straight onto the encrypted stream', async () => {
    expect(secure.server.fastPath).toBe(true);
    const query = 'SELECT * FROM demo.flights WHERE distance < 250';
    const [encrypted, plain] = await Promise.all([
      connectTls({ user: 'guest' }, 'laptop').then((client) => client.table(query)),
      connect({ user: 'guest' }).then((client) => client.table(query)),
    ]);
    expect(encrypted.numRows).toBeGreaterThan(300_000);
    expect(encrypted.numRows).toBe(plain.numRows);
    expect(encrypted.schema.names).toEqual(plain.schema.names);
    const sum = (table: typeof plain): number =>
      [...(table.getChild('distance') ?? [])].reduce((total: number, value) => total + Number(value), 0);
    expect(sum(encrypted)).toBe(sum(plain));
  });
});

test('over a shared database a token made on one node counts on the others, and its end too', async () => {
  await using postgres = await startPostgres();
  const shared = { SLUICE_METADATA: postgres.url, SLUICE_STATE_DIR: state, SLUICE_CLUSTER_KEY: Buffer.alloc(32, 7).toString('base64') };
  const env = { ...process.env, ...shared };
  await run(process.execPath, [MAIN, 'policy', 'push', policies], { env });
  await using first = await startTestServer(shared);
  await using second = await startTestServer({ ...shared, SLUICE_STATE_DIR: join(directory, 'second') });
  const ann = await connect({ user: 'analyst_eu' }, first.port);
  const [made] = await ann.rowsPrepared('CREATE TOKEN fleet');
  const byToken = await connect({ authorization: `Bearer ${made?.['token']}` }, second.port);
  await vi.waitFor(async () => expect(await byToken.rows('SELECT 1 AS x')).toEqual([{ x: 1 }]), PATIENCE);
  const session = await connect({ authorization: `Bearer ${await bearerOf(byToken)}` }, second.port);
  expect(await session.rows('SELECT 1 AS x')).toEqual([{ x: 1 }]);
  const { stdout } = await run(process.execPath, [MAIN, 'token', 'list', '--user', 'analyst_eu'], { env });
  expect(stdout).toMatch(/^fleet /);
  await ann.rowsPrepared('DROP TOKEN fleet');
  for (const ended of [byToken, session])
    await vi.waitFor(async () => expect((await failureOf(ended.rows('SELECT 1 AS x'))).status).toBe('UNAUTHENTICATED'), PATIENCE);
});

test('no password, token, JSON Web Token or session is in the audit log, the log or the output', async () => {
  const server = await startServerProcess({ ...settings, SLUICE_LOG_LEVEL: 'debug' });
  const output: Buffer[] = [];
  for (const stream of [server.child.stdout, server.child.stderr]) stream?.on('data', (chunk: Buffer) => output.push(chunk));
  const secrets = new Set<string>();
  const showTo = async (authorization: string): Promise<void> => {
    secrets.add(authorization.split(' ')[1] ?? '');
    const client = await connect({ authorization }, server.port);
    await failureOf(client.rows('SELECT 1 AS x'));
    await bearerOf(client).then(
      (bearer) => secrets.add(bearer),
      () => {},
    );
  };
  try {
    const basic = (user: string, password: string): string => {
      secrets.add(password);
      return `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
    };
    const token = await command('token', 'create', 'secret', '--user', 'analyst_eu');
    const jwt = await issuer.token({ groups: ['analysts'] });
    const expired = await issuer.token({ exp: 1 });
    await showTo(basic('analyst_eu', 'analyst_eu-demo'));
    await showTo(basic('analyst_eu', 'a-wrong-password'));
    await showTo(basic('analyst_eu', token));
    for (const bearer of [token, `${token.slice(0, -1)}_`, jwt, expired, `${jwt}x`, 'c29tZSBnYXJiYWdl']) await showTo(`Bearer ${bearer}`);
    const client = await connect({ user: 'analyst_us' }, server.port);
    const [made] = await client.rowsPrepared('CREATE TOKEN by_sql');
    secrets.add(String(made?.['token']));
    await client.rowsPrepared('DROP TOKEN by_sql');
    await command('token', 'revoke', 'secret', '--user', 'analyst_eu');
  } finally {
    await server[Symbol.asyncDispose]();
  }
  const written =
    Buffer.concat(output).toString() +
    (await readFile(join(state, 'audit.jsonl'), 'utf8')) +
    (await readFile(join(state, 'tokens.json'), 'utf8'));
  expect(written).toContain('CREATE TOKEN by_sql');
  expect(secrets.size).toBeGreaterThan(12);
  for (const secret of secrets) expect(written.includes(secret), `secret of ${secret.length} characters`).toBe(false);
});
