/** Session options: Flight's own messages, and the sealed state that travels in the session cookie. */
import { type Codec, codec, type Fields } from './protos.ts';

/** A bigint is an int64, a number a double. null asks to erase the option. */
export type OptionValue = string | boolean | bigint | number | readonly string[] | null;

export type OptionFault = 'invalidName' | 'invalidValue';

/** What a session cookie holds. */
export interface SessionState {
  readonly subject: string;
  readonly expiresAtMs: number;
  /** By name. */
  readonly options: Readonly<Record<string, string>>;
}

const FAULTS = { invalidName: 1, invalidValue: 2 } as const;
const SESSION_CLOSED = 1;

const PACKAGE = 'arrow.flight.protocol';
const setRequest: Codec = codec(`${PACKAGE}.SetSessionOptionsRequest`);
const setResult: Codec = codec(`${PACKAGE}.SetSessionOptionsResult`);
const getRequest: Codec = codec(`${PACKAGE}.GetSessionOptionsRequest`);
const getResult: Codec = codec(`${PACKAGE}.GetSessionOptionsResult`);
const closeResult: Codec = codec(`${PACKAGE}.CloseSessionResult`);
const stateCodec: Codec = codec('sluice.SessionOptions');

export function decodeSetOptions(body: Uint8Array): ReadonlyMap<string, OptionValue> {
  return new Map(
    setRequest
      .decode(body)
      .entries('sessionOptions')
      .map(([name, value]) => [name, readValue(value)]),
  );
}

export function encodeSetOptionsResult(faults: ReadonlyMap<string, OptionFault>): Uint8Array {
  const errors = [...faults].map(([name, fault]) => [name, { value: FAULTS[fault] }]);
  return setResult.encode({ errors: Object.fromEntries(errors) });
}

/** The request has no fields; this only refuses what is none. */
export function checkGetOptions(body: Uint8Array): void {
  getRequest.decode(body);
}

export function encodeGetOptionsResult(options: ReadonlyMap<string, OptionValue>): Uint8Array {
  const values = [...options].map(([name, value]) => [name, writeValue(value)]);
  return getResult.encode({ sessionOptions: Object.fromEntries(values) });
}

/** The body of a CloseSession result. */
export function encodeSessionClosed(): Uint8Array {
  return closeResult.encode({ status: SESSION_CLOSED });
}

export function encodeSessionState(state: SessionState): Uint8Array {
  return stateCodec.encode({ ...state });
}

/** Fails with ticket.invalid. */
export function decodeSessionState(bytes: Uint8Array): SessionState {
  const fields = stateCodec.decode(bytes, 'ticket.invalid');
  return { subject: fields.string('subject'), expiresAtMs: fields.number('expiresAtMs'), options: fields.texts('options') };
}

function readValue(fields: Fields): OptionValue {
  const list = fields.message('stringListValue');
  if (list !== undefined) return list.strings('values');
  const flag = fields.optionalBoolean('boolValue');
  const whole = fields.optionalNumber('int64Value');
  if (whole !== undefined) return BigInt(whole);
  return fields.optionalString('stringValue') ?? flag ?? fields.optionalNumber('doubleValue') ?? null;
}

function writeValue(value: OptionValue): Readonly<Record<string, unknown>> {
  switch (typeof value) {
    case 'string':
      return { stringValue: value };
    case 'boolean':
      return { boolValue: value };
    case 'bigint':
      return { int64Value: Number(value) };
    case 'number':
      return { doubleValue: value };
    case 'object':
      return value === null ? {} : { stringListValue: { values: value } };
  }
}
