/**
 * Arrow's scenarios of Flight itself. Sluice's own methods answer wherever the scenario's commands and canned values let them; what is written here is
 * what they say: bare words as commands, and values that no server would choose.
 */
import { Int32, Schema, Uint32 } from 'apache-arrow';
import { createAuthenticator, hashPassword } from '#src/auth/index.js';
import { fail } from '#src/errors.js';
import { answerHandshake, type FlightMethod, type OptionRules, type Rpc, type RpcHandler, sqlMethods } from '#src/flight/index.js';
import {
  createSealer,
  decodeDescriptor,
  decodeFlightData,
  encapsulatedSchema,
  encodeActionType,
  encodeFlightData,
  encodeFlightInfo,
  encodePutResult,
  encodeResult,
  encodeTaskTicket,
  type FlightData,
} from '#src/wire/index.js';
import { encode } from '../support/flight-messages.ts';
import { cannedPlan, cannedPlanner, cannedWorker, numbers, redeemed, textOf } from './canned.ts';
import type { Scenario } from './scenario.ts';

type Methods = Partial<Record<FlightMethod, RpcHandler>>;

const HOUR_MS = 3600_000;
const SEALER = createSealer([{ id: 'scenario', key: new Uint8Array(32).fill(1) }]);
export const NUMBER: Schema = numbers(new Uint32(), []).schema;

/** Sluice's service over a canned planner and worker. */
export function service(
  planner: Parameters<typeof cannedPlanner>[0],
  worker: Parameters<typeof cannedWorker>[0],
  rules?: OptionRules,
): Methods {
  const parts = { planner: cannedPlanner(planner), worker: cannedWorker(worker), sealer: SEALER, version: '0.0.0' };
  return sqlMethods(rules === undefined ? parts : { ...parts, optionRules: rules });
}

/** A bare word becomes the statement that Sluice reads a bare command as. */
function asStatement(handler: RpcHandler | undefined): RpcHandler {
  return async (rpc) => {
    const request = await rpc.request();
    const word = commandOf(request);
    const statement = /^[\w ]+$/.test(word) ? encode('FlightDescriptor', { type: 2, cmd: Buffer.from(`SELECT ${word}`) }) : request;
    await handler?.({ ...rpc, request: async () => statement });
  };
}

function commandOf(request: Uint8Array): string {
  const descriptor = decodeDescriptor(request);
  return descriptor.kind === 'command' ? textOf(descriptor.bytes) : '';
}

export async function authBasicProto(): Promise<Scenario> {
  const arrow = { name: 'arrow', passwordHash: await hashPassword('flight'), groups: [], attributes: {} };
  const times = { sessionTtlMs: HOUR_MS, sessionMaxMs: HOUR_MS };
  return {
    authenticator: createAuthenticator({ users: () => [arrow], sealer: SEALER, ...times, tokens: null, oidc: null }),
    methods: {
      Handshake: answerHandshake,
      DoAction: (rpc) => rpc.send(encodeResult(Buffer.from(rpc.principal.subject))),
    },
  };
}

export async function middleware(): Promise<Scenario> {
  const getFlightInfo = async (rpc: Rpc): Promise<void> => {
    rpc.setHeader('x-middleware', rpc.headers('x-middleware')[0] ?? '');
    const descriptor = await rpc.request();
    if (commandOf(descriptor) !== 'success') fail('request.malformed', 'this command fails');
    const endpoints = [{ ticket: Buffer.from('foo'), locations: ['grpc+tcp://localhost:10010'] }];
    await rpc.send(encodeFlightInfo({ descriptor, schema: encapsulatedSchema(new Schema([])), endpoints, ordered: false }));
  };
  return { methods: { GetFlightInfo: getFlightInfo } };
}

export async function ordered(): Promise<Scenario> {
  const tables = new Map(
    ['1', '2', '3'].map((ticket, power) => [
      ticket,
      numbers(
        new Int32(),
        [1, 2, 3].map((n) => n * 10 ** power),
      ),
    ]),
  );
  const methods = service(
    { plan: async () => cannedPlan(numbers(new Int32(), []).schema, [...tables.keys()]) },
    { redeem: async (ticket) => redeemed(tables.get(textOf(ticket)) ?? fail('ticket.invalid', 'no such ticket')) },
  );
  return { methods: { ...methods, GetFlightInfo: asStatement(methods.GetFlightInfo) } };
}

interface Endpoint {
  expiresAtMs: number | undefined;
  gets: number;
  cancelled: boolean;
}

/** Reading, cancel and renewal are Sluice's; it gives every endpoint an end, so that the three of the scenario are written here. */
export async function expirationTime(): Promise<Scenario> {
  const endpoints: Endpoint[] = [];
  const find = (ticket: Uint8Array): Endpoint => endpoints[Number.parseInt(textOf(ticket), 10)] ?? fail('ticket.invalid', 'no such ticket');
  const read = (ticket: Uint8Array): ReturnType<typeof redeemed> => {
    const endpoint = find(ticket);
    if (endpoint.cancelled) fail('request.cancelled', 'this query was cancelled');
    if (endpoint.expiresAtMs === undefined ? endpoint.gets > 0 : endpoint.expiresAtMs < Date.now())
      fail('ticket.expired', 'the ticket is over');
    endpoint.gets++;
    return redeemed(numbers(new Uint32(), [endpoints.indexOf(endpoint)]));
  };
  const renew = async (ticket: Uint8Array): Promise<{ ticket: Uint8Array; expiresAtMs: number }> => {
    const expiresAtMs = Date.now() + 600_000;
    find(ticket).expiresAtMs = expiresAtMs;
    return { ticket: Buffer.from(`${textOf(ticket)}: renewed (+ 10 seconds)`), expiresAtMs };
  };
  const cancel = async (ticket: Uint8Array): Promise<boolean> => {
    const endpoint = find(ticket);
    const first = !endpoint.cancelled;
    endpoint.cancelled = true;
    return first;
  };
  const getFlightInfo = async (rpc: Rpc): Promise<void> => {
    const ends = [undefined, Date.now() + 60_000, Date.now() + 61_000];
    endpoints.splice(0, endpoints.length, ...ends.map((expiresAtMs) => ({ expiresAtMs, gets: 0, cancelled: false })));
    const shown = ends.map((expiresAtMs, index) => ({
      ticket: encodeTaskTicket(Buffer.from(String(index))),
      ...(expiresAtMs === undefined ? {} : { expiresAtMs }),
    }));
    const schema = encapsulatedSchema(NUMBER);
    await rpc.send(encodeFlightInfo({ descriptor: await rpc.request(), schema, endpoints: shown, ordered: false }));
  };
  const methods = service({ renew }, { redeem: async (ticket) => read(ticket), cancel });
  return { methods: { ...methods, GetFlightInfo: getFlightInfo, ListActions: listTwoActions } };
}

/** The scenario wants these two and no other. */
async function listTwoActions(rpc: Rpc): Promise<void> {
  for (const type of ['CancelFlightInfo', 'RenewFlightEndpoint']) await rpc.send(encodeActionType(type, ''));
}

export async function reuseConnection(): Promise<Scenario> {
  const getFlightInfo = async (rpc: Rpc): Promise<void> => {
    const endpoints = [{ ticket: Buffer.from('reuse'), locations: ['arrow-flight-reuse-connection://?'] }];
    const info = { descriptor: await rpc.request(), schema: encapsulatedSchema(new Schema([])), endpoints, ordered: false };
    await rpc.send(encodeFlightInfo(info));
  };
  return { methods: { GetFlightInfo: getFlightInfo } };
}

/** Longer than the first poll waits. */
const PLANNING_MS = 1500;

export async function pollFlightInfo(): Promise<Scenario> {
  const plan = (): Promise<ReturnType<typeof cannedPlan>> =>
    new Promise((resolve) => setTimeout(() => resolve(cannedPlan(NUMBER, ['long-running query'])), PLANNING_MS));
  const methods = service({ plan }, {});
  return { methods: { ...methods, PollFlightInfo: asStatement(methods.PollFlightInfo) } };
}

export async function appMetadata(): Promise<Scenario> {
  const getFlightInfo = async (rpc: Rpc): Promise<void> => {
    const descriptor = await rpc.request();
    const metadata = Buffer.from(commandOf(descriptor));
    const endpoints = [{ ticket: new Uint8Array(), appMetadata: metadata }];
    const schema = encapsulatedSchema(NUMBER);
    await rpc.send(encodeFlightInfo({ descriptor, schema, endpoints, ordered: false, appMetadata: metadata }));
  };
  return { methods: { GetFlightInfo: getFlightInfo } };
}

/** Any name and any kind of value, but for those that the scenario calls invalid; kept as JSON in Sluice's cookie. */
const ANY_OPTION: OptionRules = {
  accept: (name, value) => {
    if (name === 'lol_invalid') return 'invalidName';
    if (value === 'lol_invalid') return 'invalidValue';
    return { kept: JSON.stringify(typeof value === 'bigint' ? { int64: value.toString() } : { value }) };
  },
  tell: (kept) => Object.fromEntries(Object.entries(kept).map(([name, text]) => [name, optionOf(text)])),
};

function optionOf(text: string): ReturnType<OptionRules['tell']>[string] {
  const { int64, value } = JSON.parse(text) as { int64?: string; value: string | boolean | number | readonly string[] };
  return int64 === undefined ? value : BigInt(int64);
}

export async function sessionOptions(): Promise<Scenario> {
  return { methods: service({}, {}, ANY_OPTION) };
}

export async function echo(): Promise<Scenario> {
  return { methods: service({}, {}) };
}

/** The scenario without a name: keeps what is put under a path, and gives it back with the metadata of each batch. */
export async function uploads(location: () => string): Promise<Scenario> {
  const kept = new Map<string, FlightData[]>();
  const doPut = async (rpc: Rpc): Promise<void> => {
    const parts: FlightData[] = [];
    for await (const message of rpc.messages()) {
      const part = decodeFlightData(message);
      const isSchema = parts.length === 0;
      if (part.descriptor?.kind === 'path') kept.set(part.descriptor.path.join('/'), parts);
      // The client repeats the first batch's metadata with the schema, and wants it back with the batch only.
      parts.push(isSchema ? { ...part, appMetadata: new Uint8Array() } : part);
      if (!isSchema) await rpc.send(encodePutResult(part.appMetadata));
    }
  };
  const getFlightInfo = async (rpc: Rpc): Promise<void> => {
    const descriptor = await rpc.request();
    const decoded = decodeDescriptor(descriptor);
    const path = decoded.kind === 'path' ? decoded.path.join('/') : '';
    const [schema] = kept.get(path) ?? fail('dataset.unknown', 'nothing was put there');
    const endpoints = [{ ticket: Buffer.from(path), locations: [location()] }];
    await rpc.send(encodeFlightInfo({ descriptor, schema: encapsulated(schema?.header ?? new Uint8Array()), endpoints, ordered: false }));
  };
  const doGet = async (rpc: Rpc): Promise<void> => {
    const ticket = (await rpc.request()).subarray(2);
    for (const { header, body, appMetadata: metadata } of kept.get(textOf(ticket)) ?? [])
      await rpc.send(encodeFlightData(header, body, metadata));
  };
  return { methods: { DoPut: doPut, GetFlightInfo: getFlightInfo, DoGet: doGet } };
}

/** The prefix of an IPC message. */
function encapsulated(header: Uint8Array): Uint8Array {
  const prefix = Buffer.alloc(8, 0xff);
  prefix.writeUInt32LE(header.length, 4);
  return Buffer.concat([prefix, header]);
}
