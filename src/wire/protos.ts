/** Loads proto/*.proto once and gives codecs whose decoded fields must be read by type. */
import { readFileSync } from 'node:fs';
import protobuf from 'protobufjs';
import { type ErrorCode, fail } from '../errors.ts';

const FILES = ['Flight.proto', 'FlightSql.proto', 'ticket.proto', 'health.proto', 'reflection.proto'];
/** FlightSql.proto extends the descriptor options; nothing here reads them, so an empty message stands in. */
const MESSAGE_OPTIONS = {
  nested: { google: { nested: { protobuf: { nested: { MessageOptions: { fields: {}, extensions: [[1000, 536870911]] } } } } } },
};

const root: protobuf.Root = loadRoot();

/** Fields of one decoded message; absent ones read as the proto3 default. */
export class Fields {
  readonly #values: Readonly<Record<string, unknown>>;

  constructor(values: Readonly<Record<string, unknown>>) {
    this.#values = values;
  }

  string(name: string): string {
    return this.optionalString(name) ?? '';
  }

  /** undefined when the field was not sent at all. */
  optionalString(name: string): string | undefined {
    const value = this.#values[name];
    return typeof value === 'string' ? value : undefined;
  }

  bytes(name: string): Uint8Array {
    const value = this.#values[name];
    return value instanceof Uint8Array ? value : new Uint8Array(0);
  }

  number(name: string): number {
    return this.optionalNumber(name) ?? 0;
  }

  /** undefined when the field was not sent at all. */
  optionalNumber(name: string): number | undefined {
    const value = this.#values[name];
    return typeof value === 'number' ? value : undefined;
  }

  boolean(name: string): boolean {
    return this.#values[name] === true;
  }

  /** undefined when the field was not sent at all. */
  optionalBoolean(name: string): boolean | undefined {
    const value = this.#values[name];
    return typeof value === 'boolean' ? value : undefined;
  }

  /** Keys and messages of a map. */
  entries(name: string): readonly (readonly [string, Fields])[] {
    return this.#pairs(name).flatMap(([key, value]) => (isRecord(value) ? [[key, new Fields(value)] as const] : []));
  }

  /** A map of texts. */
  texts(name: string): Readonly<Record<string, string>> {
    return Object.fromEntries(this.#pairs(name).flatMap(([key, value]) => (typeof value === 'string' ? [[key, value] as const] : [])));
  }

  strings(name: string): readonly string[] {
    return this.#list(name).filter((item) => typeof item === 'string');
  }

  numbers(name: string): readonly number[] {
    return this.#list(name).filter((item) => typeof item === 'number');
  }

  messages(name: string): readonly Fields[] {
    return this.#list(name)
      .filter(isRecord)
      .map((item) => new Fields(item));
  }

  message(name: string): Fields | undefined {
    const value = this.#values[name];
    return isRecord(value) ? new Fields(value) : undefined;
  }

  #pairs(name: string): readonly (readonly [string, unknown])[] {
    const value = this.#values[name];
    return isRecord(value) ? Object.entries(value) : [];
  }

  #list(name: string): readonly unknown[] {
    const value = this.#values[name];
    return Array.isArray(value) ? value : [];
  }
}

export interface Codec {
  encode(fields: Readonly<Record<string, unknown>>): Uint8Array;
  /** Any fault in `bytes` fails with `code`, by default request.malformed. */
  decode(bytes: Uint8Array, code?: ErrorCode): Fields;
}

/** `name` is a full message name, e.g. `arrow.flight.protocol.Ticket`. */
export function codec(name: string): Codec {
  const type = root.lookupType(name);
  return {
    encode: (fields) => type.encode(type.create(fields)).finish(),
    decode: (bytes, code = 'request.malformed') => decode(type, bytes, code),
  };
}

function decode(type: protobuf.Type, bytes: Uint8Array, code: ErrorCode): Fields {
  try {
    const object: unknown = type.toObject(type.decode(bytes), { longs: Number, enums: Number });
    return new Fields(isRecord(object) ? object : {});
  } catch (error) {
    return fail(code, `not a valid ${type.name} message`, error);
  }
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array);
}

function loadRoot(): protobuf.Root {
  const loaded = protobuf.Root.fromJSON(MESSAGE_OPTIONS);
  for (const known of ['any', 'timestamp']) {
    const definition = protobuf.common.get(`google/protobuf/${known}.proto`);
    if (definition?.nested) loaded.addJSON(definition.nested);
  }
  for (const file of FILES) {
    protobuf.parse(readFileSync(new URL(`../../proto/${file}`, import.meta.url), 'utf8'), loaded);
  }
  loaded.resolveAll();
  return loaded;
}
