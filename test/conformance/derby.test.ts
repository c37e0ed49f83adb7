/**
 * Each metadata command has the schema that Arrow Java's Derby example server gives it, wherever the schema is shown: GetSchema, FlightInfo, DoGet.
 * A schema travels as a flatbuffer, which every library lays out in its own way: Java's three places already differ from each other for one
 * schema. So Derby's bytes are decoded, written again by the product's writer, and then compared byte by byte.
 */
import { Field, MetadataVersion, Schema, tableFromIPC } from 'apache-arrow';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { encapsulatedSchema } from '#src/wire/index.js';
import { type DerbyServer, startDerby } from '../support/derby-server.ts';
import { connectFlight, RawClient } from '../support/flight-client.ts';
import { decode, encode, encodeAny, type Fields, type FlightData } from '../support/flight-messages.ts';
import { startTestServer, type TestServer } from '../support/server.ts';

const END_OF_STREAM = Buffer.from('ffffffff00000000', 'hex');
const SIDES = {
  pk_db_schema: 'APP',
  pk_table: 'FOREIGNTABLE',
  fk_db_schema: 'APP',
  fk_table: 'INTTABLE',
};

const COMMANDS: readonly (readonly [title: string, command: string, fields: Fields])[] = [
  ['GetCatalogs', 'CommandGetCatalogs', {}],
  ['GetDbSchemas', 'CommandGetDbSchemas', {}],
  ['GetTables', 'CommandGetTables', { include_schema: false }],
  ['GetTables with schemas', 'CommandGetTables', { include_schema: true }],
  ['GetTableTypes', 'CommandGetTableTypes', {}],
  ['GetPrimaryKeys', 'CommandGetPrimaryKeys', { table: 'FOREIGNTABLE' }],
  ['GetExportedKeys', 'CommandGetExportedKeys', { table: 'FOREIGNTABLE' }],
  ['GetImportedKeys', 'CommandGetImportedKeys', { table: 'INTTABLE' }],
  ['GetCrossReference', 'CommandGetCrossReference', SIDES],
  ['GetXdbcTypeInfo', 'CommandGetXdbcTypeInfo', {}],
  ['GetXdbcTypeInfo of one type', 'CommandGetXdbcTypeInfo', { data_type: 12 }],
  ['GetSqlInfo', 'CommandGetSqlInfo', {}],
  ['GetSqlInfo of some codes', 'CommandGetSqlInfo', { info: [0, 3, 504] }],
];

/** Derby's DoGet calls every field of these nullable, against its own GetSchema and Arrow's other servers: there GetSchema is the reference. */
const FORGETS_NOT_NULL: ReadonlySet<string> = new Set([
  'CommandGetPrimaryKeys',
  'CommandGetExportedKeys',
  'CommandGetImportedKeys',
  'CommandGetCrossReference',
]);

/** Encapsulated IPC messages, as each place shows them. */
interface Shown {
  readonly getSchema: Buffer;
  readonly flightInfo: Buffer;
  readonly doGet: Buffer;
}

let derbyServer: DerbyServer;
let derby: RawClient;
let sluice: TestServer;
let client: RawClient;

beforeAll(async () => {
  [derbyServer, sluice] = await Promise.all([startDerby(), startTestServer()]);
  derby = new RawClient({ port: derbyServer.port });
  client = await connectFlight({ port: sluice.port, user: 'steward' });
});

afterAll(async () => {
  derby?.close();
  client?.close();
  await Promise.all([derbyServer?.[Symbol.asyncDispose](), sluice?.[Symbol.asyncDispose]()]);
});

async function shownBy(server: RawClient, command: string, fields: Fields): Promise<Shown> {
  const descriptor = encode('FlightDescriptor', { type: 2, cmd: encodeAny(command, fields) });
  const { schema: getSchema } = decode<{ schema: Uint8Array }>('SchemaResult', await server.unary('GetSchema', descriptor));
  const { schema: flightInfo, endpoint } = await server.info(command, fields);
  const [first] = await server.collect('DoGet', encode('Ticket', { ticket: endpoint[0]?.ticket.ticket }));
  const { data_header: header } = decode<FlightData>('FlightData', first ?? Buffer.alloc(0));
  return { getSchema: Buffer.from(getSchema), flightInfo: Buffer.from(flightInfo), doGet: encapsulate(header) };
}

/** The prefix that an IPC stream puts before a message: continuation marker, padded length. */
function encapsulate(header: Uint8Array): Buffer {
  const padding = Buffer.alloc(-header.length & 7);
  const prefix = Buffer.from(END_OF_STREAM);
  prefix.writeUInt32LE(header.length + padding.length, 4);
  return Buffer.concat([prefix, header, padding]);
}

function read(message: Buffer): Schema {
  const { schema } = tableFromIPC(Buffer.concat([message, END_OF_STREAM]));
  expect(schema.metadataVersion).toBe(MetadataVersion.V5);
  return schema;
}

const write = (schema: Schema): string => Buffer.from(encapsulatedSchema(schema)).toString('hex');

const allNullable = ({ fields, metadata }: Schema): Schema =>
  new Schema(
    fields.map((field) => new Field(field.name, field.type, true, field.metadata)),
    metadata,
  );

/** For a readable difference; the bytes decide. */
function words(schema: Schema): unknown {
  const field = (one: Schema['fields'][number]): unknown => ({
    name: one.name,
    type: String(one.type),
    nullable: one.nullable,
    metadata: Object.fromEntries(one.metadata),
    children: (one.type.children ?? []).map(field),
  });
  return { fields: schema.fields.map(field), metadata: Object.fromEntries(schema.metadata) };
}

describe.each(COMMANDS)('%s', (_title, command, fields) => {
  test("has Derby's schema in GetSchema, FlightInfo and DoGet", async () => {
    const [theirs, ours] = await Promise.all([shownBy(derby, command, fields), shownBy(client, command, fields)]);
    const forgets = FORGETS_NOT_NULL.has(command);
    for (const place of ['getSchema', 'flightInfo', 'doGet'] as const) {
      const reference = read(theirs[forgets ? 'getSchema' : place]);
      expect(words(read(ours[place])), place).toEqual(words(reference));
      expect(ours[place].toString('hex'), place).toBe(write(reference));
    }
    if (forgets) expect(write(read(theirs.doGet))).toBe(write(allNullable(read(ours.doGet))));
  });

  test('is the same bytes in all three places', async () => {
    const { getSchema, flightInfo, doGet } = await shownBy(client, command, fields);
    expect(flightInfo.toString('hex')).toBe(getSchema.toString('hex'));
    expect(doGet.toString('hex')).toBe(getSchema.toString('hex'));
  });
});
