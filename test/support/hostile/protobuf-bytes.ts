/** Protobuf by hand, right and wrong: every wire type at every field, lengths that lie, nesting without end. For fuzzing. */
import fc from 'fast-check';
import { encode, encodeAny, type Fields } from '../flight-messages.ts';

export function varint(value: bigint | number): Buffer {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  do {
    const more = rest > 0x7fn;
    bytes.push(Number(rest & 0x7fn) | (more ? 0x80 : 0));
    rest >>= 7n;
  } while (rest > 0n);
  return Buffer.from(bytes);
}

/** Wire types: 0 varint, 1 fixed64, 2 length-delimited, 3 group start, 4 group end, 5 fixed32; 6 and 7 do not exist. */
export function field(number: number, wireType: number, content: Uint8Array): Buffer {
  return Buffer.concat([varint((BigInt(number) << 3n) | BigInt(wireType)), content]);
}

export function delimited(number: number, content: Uint8Array, claimed: bigint | number = content.length): Buffer {
  return field(number, 2, Buffer.concat([varint(claimed), content]));
}

/** The numbers that Flight and Flight SQL messages use, and some that none does. */
const fieldNumber = fc.oneof(
  { weight: 8, arbitrary: fc.integer({ min: 1, max: 12 }) },
  fc.constantFrom(0, 13, 500, 1000, 1001, 2 ** 29 - 1),
);
const bytes = (maxLength: number): fc.Arbitrary<Buffer> => fc.uint8Array({ maxLength }).map((value) => Buffer.from(value));
const words = fc.oneof(
  fc.constantFrom(
    'SELECT 1',
    'SELECT * FROM demo.orders LIMIT 1',
    '%',
    '_',
    '',
    'sluice',
    'demo',
    'orders',
    'TABLE',
    '\0',
    '../../etc',
    "'; --",
  ),
  fc.string({ maxLength: 40 }),
  fc.string({ unit: 'binary', maxLength: 20 }),
);
const lie = fc.constantFrom<bigint>(0n, 1n, 127n, 65_536n, 2n ** 31n - 1n, 2n ** 31n, 2n ** 32n - 1n, 2n ** 63n, 2n ** 64n - 1n);

/** A message of random fields, some of them messages again. */
export const anyMessage: fc.Arbitrary<Buffer> = fc.letrec<{ message: Buffer; field: Buffer }>((tie) => ({
  message: fc.array(tie('field'), { maxLength: 6 }).map((fields) => Buffer.concat(fields)),
  field: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.tuple(fieldNumber, words).map(([number, text]) => delimited(number, Buffer.from(text))),
    fc.tuple(fieldNumber, fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })).map(([number, value]) => field(number, 0, varint(value))),
    fc.tuple(fieldNumber, bytes(60)).map(([number, content]) => delimited(number, content)),
    fc.tuple(fieldNumber, bytes(20), lie).map(([number, content, claimed]) => delimited(number, content, claimed)),
    fc.tuple(fieldNumber, fc.constantFrom(1, 5), bytes(8)).map(([number, type, content]) => field(number, type, content)),
    fc.tuple(fieldNumber, fc.constantFrom(3, 4, 6, 7)).map(([number, type]) => field(number, type, Buffer.alloc(0))),
    fc.tuple(fieldNumber, tie('message')).map(([number, content]) => delimited(number, content)),
  ),
})).message;

/** One message inside the other, `depth` times, at one field; as groups they need no lengths. */
export function nested(number: number, depth: number, asGroups: boolean): Buffer {
  if (asGroups) return Buffer.concat([...Array<Buffer>(depth).fill(field(number, 3, Buffer.alloc(0))), field(number, 0, varint(1))]);
  let inner: Buffer = Buffer.alloc(0);
  for (let i = 0; i < depth; i++) inner = delimited(number, inner);
  return inner;
}

/** Cuts, flips, inserts, repeats and lies; one to four times. */
export function mutated(seeds: fc.Arbitrary<Uint8Array>): fc.Arbitrary<Buffer> {
  const position = fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true });
  const step = fc.oneof(
    position.map((at) => (seed: Buffer) => seed.subarray(0, Math.floor(seed.length * at))),
    position.map((at) => (seed: Buffer) => seed.subarray(Math.floor(seed.length * at))),
    fc.tuple(position, fc.integer({ min: 0, max: 255 })).map(
      ([at, byte]) =>
        (seed: Buffer) =>
          overwritten(seed, at, Buffer.from([byte])),
    ),
    fc.tuple(position, lie.map(varint)).map(
      ([at, value]) =>
        (seed: Buffer) =>
          overwritten(seed, at, value),
    ),
    fc.tuple(position, bytes(12)).map(
      ([at, more]) =>
        (seed: Buffer) =>
          inserted(seed, at, more),
    ),
    fc.tuple(position, position).map(
      ([from, to]) =>
        (seed: Buffer) =>
          repeated(seed, Math.min(from, to), Math.max(from, to)),
    ),
  );
  return fc.tuple(seeds, fc.array(step, { minLength: 1, maxLength: 4 })).map(([seed, steps]) => {
    let result: Buffer = Buffer.from(seed);
    for (const change of steps) result = change(result);
    return result;
  });
}

function overwritten(seed: Buffer, at: number, bytesThere: Buffer): Buffer {
  const copy = Buffer.from(seed);
  bytesThere.copy(copy, Math.floor(copy.length * at));
  return copy;
}

function inserted(seed: Buffer, at: number, more: Buffer): Buffer {
  const where = Math.floor(seed.length * at);
  return Buffer.concat([seed.subarray(0, where), more, seed.subarray(where)]);
}

function repeated(seed: Buffer, from: number, to: number): Buffer {
  const part = seed.subarray(Math.floor(seed.length * from), Math.floor(seed.length * to));
  return Buffer.concat([seed.subarray(0, Math.floor(seed.length * to)), part, seed.subarray(Math.floor(seed.length * to))]);
}

const COMMANDS: readonly string[] = [
  'CommandStatementQuery',
  'CommandStatementSubstraitPlan',
  'CommandPreparedStatementQuery',
  'CommandStatementUpdate',
  'CommandPreparedStatementUpdate',
  'CommandStatementIngest',
  'CommandGetSqlInfo',
  'CommandGetCatalogs',
  'CommandGetDbSchemas',
  'CommandGetTables',
  'CommandGetTableTypes',
  'CommandGetPrimaryKeys',
  'CommandGetExportedKeys',
  'CommandGetImportedKeys',
  'CommandGetCrossReference',
  'CommandGetXdbcTypeInfo',
  'TicketStatementQuery',
];
const SQL_ACTIONS: readonly string[] = [
  'CreatePreparedStatement',
  'ClosePreparedStatement',
  'CreatePreparedSubstraitPlan',
  'BeginTransaction',
  'EndTransaction',
  'BeginSavepoint',
  'EndSavepoint',
  'CancelQuery',
];
const FLIGHT_ACTIONS: readonly string[] = [
  'CancelFlightInfo',
  'RenewFlightEndpoint',
  'SetSessionOptions',
  'GetSessionOptions',
  'CloseSession',
];
/** Messages as clients send them, one for each command that has fields. */
const COMMAND_SEEDS: readonly (readonly [string, Fields])[] = [
  ['CommandStatementQuery', { query: 'SELECT order_id FROM demo.orders LIMIT 3' }],
  ['CommandStatementUpdate', { query: 'DROP TABLE demo.orders' }],
  ['CommandGetTables', { catalog: 'sluice', db_schema_filter_pattern: 'd%', table_types: ['TABLE', 'VIEW'], include_schema: true }],
  ['CommandGetDbSchemas', { catalog: 'sluice', db_schema_filter_pattern: 'demo' }],
  ['CommandGetSqlInfo', { info: [0, 1, 2, 3, 500, 501] }],
  ['CommandGetPrimaryKeys', { catalog: 'sluice', db_schema: 'demo', table: 'orders' }],
  ['CommandGetCrossReference', { pk_table: 'orders', fk_table: 'customers' }],
  ['CommandGetXdbcTypeInfo', { data_type: 12 }],
  ['CommandGetCatalogs', {}],
];

const URL_PREFIX = 'type.googleapis.com/arrow.flight.protocol.sql.';
const packed = (names: readonly string[]): fc.Arbitrary<Buffer> =>
  fc
    .tuple(
      fc.constantFrom(...names),
      fc.constantFrom(URL_PREFIX, URL_PREFIX, URL_PREFIX, '', 'type.googleapis.com/google.protobuf.'),
      anyMessage,
    )
    .map(([name, prefix, value]) => Buffer.concat([delimited(1, Buffer.from(prefix + name)), delimited(2, value)]));
const seeds: fc.Arbitrary<Uint8Array> = fc.constantFrom(...COMMAND_SEEDS).map(([name, fields]) => encodeAny(name, fields));

/** A command's bytes: shaped, mutated from a valid one, or anything. */
export const commandBytes: fc.Arbitrary<Buffer> = fc.oneof(packed(COMMANDS), mutated(seeds), anyMessage, bytes(200));

/** FlightDescriptor, for GetFlightInfo, GetSchema and PollFlightInfo. */
export const descriptorBytes: fc.Arbitrary<Buffer> = fc.oneof(
  { weight: 4, arbitrary: commandBytes.map((cmd) => Buffer.from(encode('FlightDescriptor', { type: 2, cmd }))) },
  fc
    .tuple(fc.integer({ min: -3, max: 5 }), fc.array(words, { maxLength: 4 }))
    .map(([type, path]) => Buffer.from(encode('FlightDescriptor', { type, path }))),
  mutated(seeds.map((cmd) => encode('FlightDescriptor', { type: 2, cmd }))),
  anyMessage,
  bytes(200),
);

/** `sealed`: bytes that this server has made, to be altered. */
export function ticketBytes(sealed: readonly Uint8Array[]): fc.Arbitrary<Buffer> {
  const inside = fc.oneof(commandBytes, mutated(fc.constantFrom(...sealed)), mutated(fc.constantFrom(...sealed).map((task) => task)));
  return fc.oneof(
    { weight: 4, arbitrary: inside.map((ticket) => Buffer.from(encode('Ticket', { ticket }))) },
    mutated(fc.constantFrom(...sealed).map((ticket) => encode('Ticket', { ticket }))),
    anyMessage,
  );
}

/** Action messages of every type; `bodies`: valid ones of this server. */
export function actionBytes(bodies: readonly (readonly [type: string, body: Uint8Array])[]): fc.Arbitrary<Buffer> {
  const action = (type: string, body: Uint8Array): Buffer => Buffer.from(encode('Action', { type, body }));
  const types = fc.oneof(fc.constantFrom(...SQL_ACTIONS, ...FLIGHT_ACTIONS), words);
  const requests = packed(SQL_ACTIONS.map((name) => `Action${name}Request`));
  return fc.oneof(
    fc.tuple(fc.constantFrom(...SQL_ACTIONS), requests).map(([type, body]) => action(type, body)),
    fc.tuple(fc.constantFrom(...FLIGHT_ACTIONS), anyMessage).map(([type, body]) => action(type, body)),
    fc.tuple(types, fc.oneof(anyMessage, bytes(100))).map(([type, body]) => action(type, body)),
    fc.constantFrom(...bodies).chain(([type, body]) => mutated(fc.constant(body)).map((altered) => action(type, altered))),
    mutated(fc.constantFrom(...bodies).map(([type, body]) => action(type, body))),
    anyMessage,
  );
}
