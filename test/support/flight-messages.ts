/**
 * The few Flight and Flight SQL messages that test clients speak, written down from the public specification:
 * on purpose not the product's codecs, so that a fault there can't hide itself.
 */
import protobuf from 'protobufjs';

const PROTO = `
syntax = "proto3";
message Any { string type_url = 1; bytes value = 2; }
message BasicAuth { string username = 2; string password = 3; }
message HandshakeRequest { uint64 protocol_version = 1; bytes payload = 2; }
message HandshakeResponse { uint64 protocol_version = 1; bytes payload = 2; }
message FlightDescriptor { int32 type = 1; bytes cmd = 2; repeated string path = 3; }
message Ticket { bytes ticket = 1; }
message Location { string uri = 1; }
message Timestamp { int64 seconds = 1; int32 nanos = 2; }
message FlightEndpoint { Ticket ticket = 1; repeated Location location = 2; Timestamp expiration_time = 3; bytes app_metadata = 4; }
message FlightInfo {
  bytes schema = 1; FlightDescriptor flight_descriptor = 2; repeated FlightEndpoint endpoint = 3;
  int64 total_records = 4; int64 total_bytes = 5; bool ordered = 6; bytes app_metadata = 7;
}
message SchemaResult { bytes schema = 1; }
message FlightData { FlightDescriptor flight_descriptor = 1; bytes data_header = 2; bytes app_metadata = 3; bytes data_body = 1000; }
message Action { string type = 1; bytes body = 2; }
message Result { bytes body = 1; }
message CommandStatementQuery { string query = 1; bytes transaction_id = 2; }
message ActionCreatePreparedStatementRequest { string query = 1; bytes transaction_id = 2; }
message ActionCreatePreparedStatementResult {
  bytes prepared_statement_handle = 1; bytes dataset_schema = 2; bytes parameter_schema = 3; optional bool is_update = 4;
}
message ActionClosePreparedStatementRequest { bytes prepared_statement_handle = 1; }
message CommandPreparedStatementQuery { bytes prepared_statement_handle = 1; }
message CommandGetCatalogs { }
message CommandGetDbSchemas { optional string catalog = 1; optional string db_schema_filter_pattern = 2; }
message CommandGetTables {
  optional string catalog = 1; optional string db_schema_filter_pattern = 2; optional string table_name_filter_pattern = 3;
  repeated string table_types = 4; bool include_schema = 5;
}
message CommandGetTableTypes { }
message CommandGetSqlInfo { repeated uint32 info = 1; }
message CommandGetPrimaryKeys { optional string catalog = 1; optional string db_schema = 2; string table = 3; }
message CommandGetExportedKeys { optional string catalog = 1; optional string db_schema = 2; string table = 3; }
message CommandGetImportedKeys { optional string catalog = 1; optional string db_schema = 2; string table = 3; }
message CommandGetCrossReference {
  optional string pk_catalog = 1; optional string pk_db_schema = 2; string pk_table = 3;
  optional string fk_catalog = 4; optional string fk_db_schema = 5; string fk_table = 6;
}
message CommandGetXdbcTypeInfo { optional int32 data_type = 1; }
message CommandStatementUpdate { string query = 1; bytes transaction_id = 2; }
message CommandPreparedStatementUpdate { bytes prepared_statement_handle = 1; }
message TableDefinitionOptions { int32 if_not_exist = 1; int32 if_exists = 2; }
message CommandStatementIngest {
  TableDefinitionOptions table_definition_options = 1; string table = 2; optional string schema = 3; optional string catalog = 4;
  bool temporary = 5; optional bytes transaction_id = 6; map<string, string> options = 1000;
}
message DoPutUpdateResult { int64 record_count = 1; }
message DoPutPreparedStatementResult { optional bytes prepared_statement_handle = 1; }
message PutResult { bytes app_metadata = 1; }
message Criteria { bytes expression = 1; }
message PollInfo { FlightInfo info = 1; FlightDescriptor flight_descriptor = 2; optional double progress = 3; Timestamp expiration_time = 4; }
message CancelFlightInfoRequest { FlightInfo info = 1; }
message CancelFlightInfoResult { int32 status = 1; }
message ActionCancelQueryRequest { bytes info = 1; }
message ActionCancelQueryResult { int32 result = 1; }
message RenewFlightEndpointRequest { FlightEndpoint endpoint = 1; }
message StringListValue { repeated string values = 1; }
message SessionOptionValue {
  oneof option_value {
    string string_value = 1; bool bool_value = 2; sfixed64 int64_value = 3; double double_value = 4; StringListValue string_list_value = 5;
  }
}
message SetSessionOptionsRequest { map<string, SessionOptionValue> session_options = 1; }
message SessionOptionError { int32 value = 1; }
message SetSessionOptionsResult { map<string, SessionOptionError> errors = 1; }
message GetSessionOptionsResult { map<string, SessionOptionValue> session_options = 1; }
`;

const root = protobuf.parse(PROTO, { keepCase: true }).root;

/** Fields by their names in the specification. */
export type Fields = Readonly<Record<string, unknown>>;

export function encode(message: string, fields: Fields): Uint8Array {
  const type = root.lookupType(message);
  return type.encode(type.fromObject(fields)).finish();
}

/** Decoded with defaults; 64-bit integers come as strings. */
export function decode<T>(message: string, bytes: Uint8Array): T {
  const type = root.lookupType(message);
  return type.toObject(type.decode(bytes), { longs: String, defaults: true, arrays: true }) as T;
}

/** Flight SQL wraps each command in Any. */
export function encodeAny(message: string, fields: Fields): Uint8Array {
  return encode('Any', { type_url: `type.googleapis.com/arrow.flight.protocol.sql.${message}`, value: encode(message, fields) });
}

export function decodeAny<T>(message: string, bytes: Uint8Array): T {
  return decode<T>(message, decode<{ value: Uint8Array }>('Any', bytes).value);
}

export interface FlightInfo {
  readonly schema: Uint8Array;
  readonly flight_descriptor: { readonly type: number; readonly path: readonly string[] };
  readonly endpoint: readonly FlightEndpoint[];
  readonly total_records: string;
  readonly ordered: boolean;
  readonly app_metadata: Uint8Array;
}

export interface FlightEndpoint {
  readonly ticket: { readonly ticket: Uint8Array };
  readonly location: readonly { readonly uri: string }[];
  readonly expiration_time: { readonly seconds: string; readonly nanos: number } | null;
  readonly app_metadata: Uint8Array;
}

export interface PollInfo {
  readonly info: FlightInfo;
  readonly flight_descriptor: { readonly type: number; readonly cmd: Uint8Array } | null;
  readonly progress: number;
  readonly expiration_time: { readonly seconds: string; readonly nanos: number } | null;
}

export interface FlightData {
  readonly data_header: Uint8Array;
  readonly data_body: Uint8Array;
}

export interface PreparedResult {
  readonly prepared_statement_handle: Uint8Array;
  readonly dataset_schema: Uint8Array;
  readonly parameter_schema: Uint8Array;
  readonly is_update: boolean;
}
