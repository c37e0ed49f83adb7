/** Starts the server of one of Arrow's integration scenarios on Sluice's own Flight layer. */
import { createAuditLog } from '#src/audit.js';
import type { Authenticator } from '#src/auth/index.js';
import { createFlightServer, type FlightServer, type FlightServerOptions } from '#src/flight/index.js';
import { createLogger } from '#src/log.js';
import { ANYONE } from './canned.ts';
import {
  appMetadata,
  authBasicProto,
  echo,
  expirationTime,
  middleware,
  ordered,
  pollFlightInfo,
  reuseConnection,
  sessionOptions,
  uploads,
} from './flight.ts';
import { flightSql, ingestion, strictIngestion } from './flight-sql.ts';

export interface Scenario {
  readonly methods: FlightServerOptions['methods'];
  /** Default: everybody may. */
  readonly authenticator?: Authenticator;
}

const EVERYBODY: Authenticator = { authenticate: async () => ({ principal: ANYONE, bearer: 'anyone' }) };

/** By Arrow's names; `location` is where clients reach the server. */
const SCENARIOS: Readonly<Record<string, (location: () => string) => Promise<Scenario>>> = {
  '': uploads,
  'auth:basic_proto': authBasicProto,
  middleware,
  ordered,
  'expiration_time:do_get': expirationTime,
  'expiration_time:list_actions': expirationTime,
  'expiration_time:cancel_flight_info': expirationTime,
  'expiration_time:renew_flight_endpoint': expirationTime,
  'do_exchange:echo': echo,
  'location:reuse_connection': reuseConnection,
  session_options: sessionOptions,
  poll_flight_info: pollFlightInfo,
  app_metadata_flight_info_endpoint: appMetadata,
  flight_sql: flightSql,
  'flight_sql:extension': flightSql,
  'flight_sql:ingestion': ingestion,
  'flight_sql:ingestion:strict': strictIngestion,
};

export const SCENARIO_NAMES: readonly string[] = Object.keys(SCENARIOS);

/** Rejects when there is no such scenario or the address can not be bound; port 0 takes a free one. */
export async function startScenario(name: string, host: string, port: number): Promise<FlightServer> {
  if (!Object.hasOwn(SCENARIOS, name)) throw new Error(`no scenario "${name}"; there are: ${SCENARIO_NAMES.join(', ')}`);
  let bound = port;
  const scenario = await SCENARIOS[name]?.(() => `grpc+tcp://${host}:${bound}`);
  const server = await createFlightServer({
    host,
    port,
    methods: scenario?.methods ?? {},
    authenticator: scenario?.authenticator ?? EVERYBODY,
    audit: createAuditLog(() => {}),
    logger: createLogger('silent'),
    maxMessageBytes: 16 * 1024 ** 2,
  });
  bound = server.port;
  return server;
}
