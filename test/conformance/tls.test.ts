/** Every client over TLS, with the certificate checked; mutual TLS where the client has certificates of its own. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Answer, demoUser, JdbcClient, PythonClients } from '../support/clients.ts';
import { shows } from '../support/protocol.ts';
import { QUICKSTART_SETTINGS, quickstartAnswers } from '../support/quickstart.ts';
import { type EditedPolicies, editQuickstart } from '../support/quickstart-policies.ts';
import { expectSameAnswer, expectSameText } from '../support/same-answer.ts';
import { startTestServer, type TestServer } from '../support/server.ts';
import { makeCertificates, type TestCertificates } from '../support/tls.ts';

const python = new PythonClients();
const old = new PythonClients('sqlalchemy14');
const recent = new PythonClients('gizmo');
const jdbc = new JdbcClient();
const expectedOf = quickstartAnswers(python);
const sql = 'SELECT customer_id, ssn, birth_date, region FROM demo.customers WHERE customer_id <= 200 ORDER BY customer_id';
let directory: string;
let certificates: TestCertificates;
let sluice: TestServer;
let root: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'sluice-tls-'));
  certificates = await makeCertificates(directory);
  root = await readFile(certificates.authorityFile, 'utf8');
  sluice = await startTestServer({
    ...QUICKSTART_SETTINGS,
    SLUICE_TLS_CERT: certificates.serverCertificateFile,
    SLUICE_TLS_KEY: certificates.serverKeyFile,
  });
});

afterAll(async () => {
  await Promise.all([python, old, recent, jdbc].map((client) => client[Symbol.asyncDispose]()));
  await sluice?.[Symbol.asyncDispose]();
  await rm(directory, { recursive: true, force: true });
});

const uri = (): string => `grpc+tls://127.0.0.1:${sluice.port}`;
const rootOptions = (): Readonly<Record<string, string>> => ({ 'adbc.flight.sql.client_option.tls_root_certs': root });
const adbc = (user: string, more: Readonly<Record<string, unknown>> = {}): Readonly<Record<string, unknown>> => ({
  uri: uri(),
  ...demoUser(user),
  db: rootOptions(),
  ...more,
});

describe('ADBC', () => {
  test.each(['adbc_query', 'adbc_prepared', 'adbc_statement'])('%s', shows('ADBC', 'TLS'), async (verb) => {
    for (const user of ['steward', 'analyst_eu'] as const)
      expectSameAnswer(await python.call<Answer>(verb, adbc(user, { sql })), await expectedOf(user, sql), `${verb} as ${user}`);
  });

  test('parameters and metadata', shows('ADBC', 'TLS'), async () => {
    const bound = await python.call<Answer>('adbc_bind', adbc('analyst_eu', { sql: sql.replace('200', '?'), values: '(200,)' }));
    expectSameAnswer(bound, await expectedOf('analyst_eu', sql), 'bound');
    expect(await python.call('adbc_table_types', adbc('guest'))).toContain('TABLE');
  });

  test('another authority is not trusted', shows('ADBC', 'TLS'), async () => {
    await expect(python.call('adbc_query', { uri: uri(), ...demoUser('steward'), sql })).rejects.toThrow(/certificate|x509|authority/i);
  });

  test('no certificate is checked when the client says so', shows('ADBC', 'TLS'), async () => {
    const db = { 'adbc.flight.sql.client_option.tls_skip_verify': 'true' };
    expect((await python.call<Answer>('adbc_query', { uri: uri(), ...demoUser('steward'), db, sql: 'SELECT 1 AS one' })).rows).toEqual([
      [1],
    ]);
  });

  test('plaintext is not answered', shows('ADBC', 'TLS'), async () => {
    await expect(python.query('adbc_query', sluice.port, demoUser('steward'), 'SELECT 1')).rejects.toThrow();
  });
});

describe('frames over TLS', () => {
  const count = 'SELECT count(*) AS n FROM demo.customers';

  test('pandas', shows('pandas', 'TLS'), async () => {
    const answer = await python.call<Answer>('pandas_read_sql', adbc('analyst_eu', { sql: count }));
    expect(answer.rows).toEqual((await expectedOf('analyst_eu', count)).rows);
  });

  test('polars', shows('polars', 'TLS'), async () => {
    const answer = await python.call<Answer>('polars_read_database', adbc('analyst_eu', { sql: count }));
    expect(answer.rows).toEqual((await expectedOf('analyst_eu', count)).rows);
  });

  test('polars, with an address alone', shows('polars', 'password', 'read_database_uri has no way to sign in'), async () => {
    await using trusting = new PythonClients('main', { SSL_CERT_FILE: certificates.authorityFile });
    const address = `flightsql://analyst_eu:analyst_eu-demo@127.0.0.1:${sluice.port}`;
    const answer = await trusting.call<Answer>('polars_read_uri', { uri: address, sql: count });
    expect(answer.rows).toEqual((await expectedOf('analyst_eu', count)).rows);
  });

  test('DuckDB', shows('DuckDB', 'TLS'), async () => {
    const over = 'SELECT count(*) AS n FROM remote';
    const answer = await python.call<Answer>('duckdb_over_reader', adbc('analyst_eu', { sql: 'SELECT * FROM demo.customers', over }));
    expect(answer.rows).toEqual((await expectedOf('analyst_eu', 'SELECT count(*) AS n FROM demo.customers')).rows);
  });
});

describe('pyarrow.flight', () => {
  const options = (user: string): Readonly<Record<string, unknown>> => ({
    uri: uri(),
    ...demoUser(user),
    sql,
    tls: { tls_root_certs: root },
  });

  test('a query', shows('pyarrow.flight', 'TLS'), async () => {
    for (const user of ['steward', 'analyst_eu'] as const)
      expectSameAnswer(await python.call<Answer>('flight_naive', options(user)), await expectedOf(user, sql), user);
  });

  test('another authority is not trusted', shows('pyarrow.flight', 'TLS'), async () => {
    await expect(python.call('flight_naive', { ...options('steward'), tls: {} })).rejects.toThrow(
      /certificate|handshake|connect|unavailable|writing/i,
    );
  });
});

describe('JDBC', () => {
  const url = (more: string): string => `jdbc:arrow-flight-sql://127.0.0.1:${sluice.port}?useEncryption=true${more}`;

  test('with root certificates', shows('JDBC', 'TLS'), async () => {
    await jdbc.open(
      url(`&useSystemTrustStore=false&tlsRootCerts=${encodeURIComponent(certificates.authorityFile)}`),
      demoUser('analyst_eu'),
    );
    expectSameText(await jdbc.statement(sql), await expectedOf('analyst_eu', sql), 'analyst_eu');
    const bound = await jdbc.bound(sql.replace('200', '?'), 'setLong=200');
    expectSameText(bound, await expectedOf('analyst_eu', sql), 'bound');
    expect((await jdbc.metadata('tables', 'demo', '%')).rows.length).toBe(5);
  });

  test('unchecked', shows('JDBC', 'TLS'), async () => {
    await jdbc.open(url('&disableCertificateVerification=true'), demoUser('steward'));
    expectSameText(await jdbc.statement(sql), await expectedOf('steward', sql), 'steward');
  });

  test('a certificate that nobody vouches for is refused', shows('JDBC', 'TLS'), async () => {
    await expect(jdbc.open(url(''), demoUser('steward'))).rejects.toThrow(/certif|SSL|handshake|UNAVAILABLE/i);
  });
});

describe('the others', () => {
  test('flightsql-dbapi and SQLAlchemy 1.4', shows('flightsql-dbapi', 'TLS'), async () => {
    const count = 'SELECT count(*) AS n FROM demo.customers';
    const client = { port: sluice.port, ...demoUser('analyst_eu'), sql: count };
    const expected = (await expectedOf('analyst_eu', count)).rows;
    expect((await old.call<Answer>('dbapi_query', { ...client, client: { disable_server_verification: true } })).rows).toEqual(expected);
    expect((await old.call<Answer>('alchemy_text', { ...client, query: { disable_server_verification: 'True' } })).rows).toEqual(expected);
  });

  test('SQLAlchemy 2', shows('SQLAlchemy', 'TLS'), async () => {
    const count = 'SELECT count(*) AS n FROM demo.customers';
    const query = { useEncryption: 'True', disableCertificateVerification: 'True' };
    const answer = await recent.call<Answer>('alchemy2_text', { port: sluice.port, ...demoUser('analyst_eu'), sql: count, query });
    expect(answer.rows).toEqual((await expectedOf('analyst_eu', count)).rows);
  });

  test('ibis', shows('ibis', 'TLS'), async () => {
    const client = { use_encryption: true, disable_certificate_verification: true };
    const count = 'SELECT count(*) AS n FROM demo.customers';
    const answer = await recent.call<Answer>('ibis_sql', { port: sluice.port, ...demoUser('analyst_eu'), sql: count, client });
    expect(answer.rows).toEqual((await expectedOf('analyst_eu', count)).rows);
  });
});

describe('certificates of the clients', () => {
  let policies: EditedPolicies;
  let mutual: TestServer;
  const count = 'SELECT count(*) AS n FROM demo.customers';
  beforeAll(async () => {
    policies = await editQuickstart({ 'users.yaml': [['  analyst_eu:\n', '  analyst_eu:\n    certificate: robot.eu\n']] });
    mutual = await startTestServer({
      ...QUICKSTART_SETTINGS,
      SLUICE_POLICIES: policies.directory,
      SLUICE_TLS_CERT: certificates.serverCertificateFile,
      SLUICE_TLS_KEY: certificates.serverKeyFile,
      SLUICE_TLS_CLIENT_AUTH: 'require',
      SLUICE_TLS_CLIENT_CA: certificates.authorityFile,
    });
  });
  afterAll(async () => {
    await mutual?.[Symbol.asyncDispose]();
    await policies?.[Symbol.asyncDispose]();
  });
  const address = (): string => `grpc+tls://127.0.0.1:${mutual.port}`;

  test('are a login for ADBC', shows('ADBC', 'client certificate'), async () => {
    const { certificate, key } = await certificates.client('robot.eu');
    const db = {
      ...rootOptions(),
      'adbc.flight.sql.client_option.mtls_cert_chain': certificate,
      'adbc.flight.sql.client_option.mtls_private_key': key,
    };
    const answer = await python.call<Answer>('adbc_query', { uri: address(), db, sql: count });
    expect(answer.rows).toEqual((await expectedOf('analyst_eu', count)).rows);
  });

  test('are a login for pyarrow.flight', shows('pyarrow.flight', 'client certificate'), async () => {
    const { certificate, key } = await certificates.client('robot.eu');
    const tls = { tls_root_certs: root, cert_chain: certificate, private_key: key };
    expect((await python.call<Answer>('flight_naive', { uri: address(), tls, sql: count })).rows).toEqual(
      (await expectedOf('analyst_eu', count)).rows,
    );
  });

  test("are a login for JDBC, and go with no other password than their own user's", shows('JDBC', 'client certificate'), async () => {
    const { certificateFile, keyFile } = await certificates.client('robot.eu');
    const more = {
      useSystemTrustStore: 'false',
      tlsRootCerts: certificates.authorityFile,
      clientCertificate: certificateFile,
      clientKey: keyFile,
    };
    const url = `jdbc:arrow-flight-sql://127.0.0.1:${mutual.port}?useEncryption=true&${new URLSearchParams(more)}`;
    await jdbc.open(url, {});
    expectSameText(await jdbc.statement(count), await expectedOf('analyst_eu', count), 'by certificate');
    await jdbc.open(url, demoUser('analyst_eu'));
    expectSameText(await jdbc.statement(count), await expectedOf('analyst_eu', count), 'by both');
    await expect(jdbc.open(url, demoUser('steward'))).rejects.toThrow(/belongs to another user/);
  });

  test('are needed', shows('ADBC', 'client certificate'), async () => {
    await expect(python.call('adbc_query', { uri: address(), ...demoUser('steward'), db: rootOptions(), sql: count })).rejects.toThrow();
    const stranger = await certificates.client('stranger');
    const db = {
      ...rootOptions(),
      'adbc.flight.sql.client_option.mtls_cert_chain': stranger.certificate,
      'adbc.flight.sql.client_option.mtls_private_key': stranger.key,
    };
    await expect(python.call('adbc_query', { uri: address(), db, sql: count })).rejects.toThrow(/Unauthenticated|UNAUTHENTICATED/i);
  });
});
