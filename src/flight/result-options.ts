/** What a client gets when it does not say, by its user-agent, and what it may ask for instead, by header or session option. */
import { fail } from '../errors.ts';
import { PLAIN_FORM, type WireForm } from '../model.ts';
import type { ResultOptions } from '../planner/index.ts';

interface Client {
  readonly userAgent: RegExp;
  /** Endpoints that it reads side by side. */
  readonly endpointsMax: number;
  /** Whether rows of several endpoints come out in their order. */
  readonly readsInOrder: boolean;
  /** Whether it reads string views, dictionaries and compressed bodies as what they are. */
  readonly readsEveryForm: boolean;
}

/** The first that matches. */
const CLIENTS: readonly Client[] = [
  // Opens every endpoint at once and puts them in order; its cache of connections breaks beyond twenty locations.
  { userAgent: /^ADBC Flight SQL Driver\b/, endpointsMax: 16, readsInOrder: true, readsEveryForm: true },
  // Takes whichever endpoint is ready; reads dictionary indexes as values and knows neither views nor compression.
  { userAgent: /\bgrpc-java-|^JDBC Flight SQL Driver\b/, endpointsMax: 4, readsInOrder: false, readsEveryForm: false },
  // Many others read the first endpoint only.
  { userAgent: /(?:)/, endpointsMax: 1, readsInOrder: true, readsEveryForm: true },
];

const PARALLEL_ENDPOINTS = 16;
/** Smaller messages cost more than they help; larger ones no client reads. */
const BATCH_BYTES_MIN = 64 * 1024;
const BATCH_BYTES_MAX = 16 * 1024 ** 2;

const CHOICES = {
  endpoints: ['auto', 'single', 'parallel'],
  strings: ['utf8', 'view'],
  enums: ['utf8', 'dictionary'],
  compression: ['none', 'lz4', 'zstd'],
} as const;

type Choice<K extends keyof typeof CHOICES> = (typeof CHOICES)[K][number];

/** Values of options with a list of them; session options and headers share it. */
export const OPTION_CHOICES: Readonly<Record<string, readonly string[]>> = CHOICES;

/** Bytes of a record batch as text; undefined when it is no such size. */
export function batchBytesOf(text: string): number | undefined {
  const bytes = /^\d{1,9}$/.test(text) ? Number(text) : 0;
  return bytes >= BATCH_BYTES_MIN && bytes <= BATCH_BYTES_MAX ? bytes : undefined;
}

/** Where an option may be set; headers win over the session. */
export interface OptionSource {
  readonly userAgent: string;
  /** The value of `x-sluice-<name>`, with `-` for `_`. */
  header(name: string): string | undefined;
  readonly session: Readonly<Record<string, string>>;
}

/** Fails with request.malformed on a header value that is none of the choices. */
export function resultOptions(source: OptionSource): ResultOptions {
  const client = clientOf(source.userAgent);
  const endpoints = choose(source, 'endpoints', 'auto');
  return {
    schema: source.header('schema') ?? source.session['schema'] ?? null,
    form: formOf(client, source),
    endpointsMax: { auto: client.endpointsMax, single: 1, parallel: PARALLEL_ENDPOINTS }[endpoints],
    readsInOrder: client.readsInOrder,
  };
}

function clientOf(userAgent: string): Client {
  const found = CLIENTS.find((client) => client.userAgent.test(userAgent));
  return found ?? fail('server.internal', 'internal error', 'the last client matches every user-agent');
}

/** Every choice is checked, also where the client gets the plain form whatever it asks for. */
function formOf(client: Client, source: OptionSource): WireForm {
  const asked: WireForm = {
    strings: choose(source, 'strings', PLAIN_FORM.strings),
    enums: choose(source, 'enums', PLAIN_FORM.enums),
    compression: choose(source, 'compression', PLAIN_FORM.compression),
  };
  const form = client.readsEveryForm ? asked : PLAIN_FORM;
  const size = source.header('batch_bytes') ?? source.session['batch_bytes'];
  if (size === undefined) return form;
  const batchBytes =
    batchBytesOf(size) ?? fail('request.malformed', `x-sluice-batch-bytes is a number from ${BATCH_BYTES_MIN} to ${BATCH_BYTES_MAX}`);
  return { ...form, batchBytes };
}

function choose<K extends keyof typeof CHOICES>(source: OptionSource, name: K, fallback: Choice<K>): Choice<K> {
  const asked = source.header(name) ?? source.session[name];
  if (asked === undefined) return fallback;
  const choices: readonly Choice<K>[] = CHOICES[name];
  return choices.find((choice) => choice === asked) ?? fail('request.malformed', `x-sluice-${name} is one of ${choices.join(', ')}`);
}
