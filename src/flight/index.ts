/**
 * The gRPC edge: Arrow Flight and Flight SQL requests → planner and worker, results → frames. Owns @grpc/grpc-js.
 * Decides nothing: authentication, policy and SQL live below. One audit record per request, on every exit.
 * Sizes are bytes, times milliseconds. Errors become gRPC statuses by the registry in errors.ts.
 */
export type { FlightServer } from './server.ts';
export { createFlightServer } from './server.ts';
