/** How settings are written: parsers whose errors complete the sentence "SLUICE_X …". */
import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';

export const MIB: number = 1024 ** 2;
const UNITS: Readonly<Record<string, number>> = { '': 1, KB: 1024, MB: MIB, GB: 1024 ** 3 };
const DURATIONS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

export interface Listen {
  readonly host: string;
  readonly port: number;
}

export function parseListen(text: string): Listen {
  const match = /^\[?([^\]]+?)\]?:(\d{1,5})$/.exec(text);
  const port = Number(match?.[2]);
  if (match?.[1] === undefined || port > 65_535) throw new Error('must be host:port, for example 127.0.0.1:8815');
  return { host: match[1], port };
}

/** As a URI takes it. */
export function bracketed(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}

/** An address, or `off`. */
export function parseListenOrOff(text: string): Listen | null {
  return text === 'off' ? null : parseListen(text);
}

/** null = the policy directory. The address holds a password, so no error repeats it. */
export function parseMetadata(text: string): string | null {
  if (text === 'files') return null;
  if (!/^postgres(ql)?:\/\/[^\s]+$/.test(text)) throw new Error('must be files or postgres://user:password@host:port/database');
  return text;
}

export function parseLocation(text: string): string | null {
  if (text === '') return null;
  if (!/^grpc(\+tls)?:\/\/[^\s/@]+:\d{1,5}$/.test(text)) throw new Error('must be a Flight URI such as grpc+tls://host:8815');
  return text;
}

export function parseKey(text: string): Buffer | null {
  if (text === '') return null;
  const key = Buffer.from(text, 'base64');
  if (key.length !== 32) throw new Error('must be 32 bytes in base64, for example from `openssl rand -base64 32`');
  return key;
}

export function parseThreads(text: string): number {
  return text === 'cores' ? availableParallelism() : integer(1, 1024)(text);
}

export function nonEmpty(text: string): string {
  if (text.trim() === '') throw new Error('must not be empty');
  return text;
}

export function path(text: string): string {
  return resolve(nonEmpty(text));
}

export function oneOf(...values: readonly string[]): (text: string) => string {
  return (text) => {
    if (!values.includes(text)) throw new Error(`must be one of: ${values.join(', ')}`);
    return text;
  };
}

export function integer(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < min || value > max) throw new Error(`must be a whole number from ${min} to ${max}`);
    return value;
  };
}

export function bytes(min: number, max: number): (text: string) => number {
  return (text) => {
    const match = /^(\d+)(KB|MB|GB|)$/.exec(text);
    const value = Number(match?.[1]) * (UNITS[match?.[2] ?? ''] ?? Number.NaN);
    if (!(value >= min && value <= max)) throw new Error(`must be a size such as 512MB, at least ${min} bytes and at most ${max}`);
    return value;
  };
}

export function duration(minMs: number): (text: string) => number {
  return (text) => {
    const match = /^(\d+)(ms|s|m|h|d)$/.exec(text);
    const value = Number(match?.[1]) * (DURATIONS[match?.[2] ?? ''] ?? Number.NaN);
    if (!(value >= minMs && value <= 365 * 24 * 3_600_000)) throw new Error('must be a duration such as 500ms, 30s, 10m, 8h or 30d');
    return value;
  };
}

export function durationUpTo(maxMs: number, minMs = 0): (text: string) => number {
  return (text) => {
    const value = duration(minMs)(text);
    if (value > maxMs) throw new Error(`must be at most ${maxMs / 60_000}m`);
    return value;
  };
}

/** Grants name clusters by patterns: one spelling of each name, and no `*` in it. */
export function parseCluster(text: string): string {
  if (!/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(text))
    throw new Error('must be a name of up to 63 lower-case letters, digits and -, for example adhoc-1');
  return text;
}

/** Empty = none. */
export function optional<T>(parse: (text: string) => T): (text: string) => T | null {
  return (text) => (text === '' ? null : parse(text));
}

/** Separated by commas; empty = none. */
export function list(text: string): readonly string[] {
  return text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');
}

/** `attribute=claim, attribute=claim`; one name alone stands for both. */
export function attributeClaims(text: string): Readonly<Record<string, string>> {
  return Object.fromEntries(list(text).map(attributeClaim));
}

function attributeClaim(text: string): readonly [string, string] {
  const [attribute = '', ...rest] = text.split('=').map((part) => part.trim());
  const claim = rest.length === 0 ? attribute : rest.join('=');
  if (!/^[A-Za-z_]\w*$/.test(attribute) || claim === '') throw new Error('must be attribute=claim pairs, separated by commas');
  return [attribute, claim];
}
