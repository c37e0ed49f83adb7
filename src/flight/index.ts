/**
 * The gRPC edge: `createFlightServer` serves any Flight methods, `sqlMethods` are Sluice's: Flight SQL → planner and worker. Owns @grpc/grpc-js.
 * Decides nothing: authentication, policy and SQL live below. One audit record per request, on every exit.
 * Sizes are bytes, times milliseconds. Errors become gRPC statuses by the registry in errors.ts.
 */
export { channelCredentials } from './channels.ts';
export { createTlsCredentials, type TlsCredentials } from './credentials.ts';
export { answerHandshake } from './handshake.ts';
export type { OptionRules } from './option-rules.ts';
export { limitPlanning } from './planning-limit.ts';
export { createProxy, type TicketProxy } from './proxy.ts';
export { createRemote, type Remote } from './remote.ts';
export type { Rpc, RpcHandler } from './rpc.ts';
export type { FlightMethod, FlightServer, FlightServerOptions } from './server.ts';
export { createFlightServer } from './server.ts';
export { type SqlMethodsOptions, sqlMethods, workerMethods } from './sql-methods.ts';
export type { Services } from './types.ts';
