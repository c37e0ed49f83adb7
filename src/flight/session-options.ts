/**
 * Session options: SetSessionOptions, GetSessionOptions and CloseSession. The options themselves travel sealed in the client's
 * cookie, so that every server of the cluster reads them and none keeps them. Each use gives the session a later end.
 */
import { fail, SluiceError } from '../errors.ts';
import type { Planner, VisibleCatalog } from '../planner/index.ts';
import {
  checkGetOptions,
  decodeSessionState,
  decodeSetOptions,
  encodeGetOptionsResult,
  encodeResult,
  encodeSessionClosed,
  encodeSessionState,
  encodeSetOptionsResult,
  type OptionFault,
  type OptionValue,
  type Sealer,
  type SessionState,
} from '../wire/index.ts';
import { clearedCookie, cookieHeader, readCookie, SESSION_COOKIE } from './cookies.ts';
import type { OptionRules } from './option-rules.ts';
import type { Rpc } from './rpc.ts';

export interface SessionsOptions {
  readonly planner: Pick<Planner, 'visibleCatalog'>;
  readonly sealer: Sealer;
  readonly rules: OptionRules;
  /** A session ends so long after its last use, milliseconds. */
  readonly idleMs: number;
  /** Cookies go back over TLS only. */
  readonly secure: boolean;
  readonly now: () => number;
}

export type SessionValues = Readonly<Record<string, string>>;

export interface Sessions {
  /** The caller's options, none without a session; gives the session a later end. Throws session.expired. */
  use(rpc: Rpc): SessionValues;
  set(rpc: Rpc, body: Uint8Array): Promise<void>;
  get(rpc: Rpc, body: Uint8Array): Promise<void>;
  close(rpc: Rpc): Promise<void>;
}

const OPTIONS_MAX = 100;

export function createSessions(options: SessionsOptions): Sessions {
  const issue = (rpc: Rpc, values: SessionValues): void => {
    const state = { subject: rpc.principal.subject, expiresAtMs: options.now() + options.idleMs, options: values };
    const sealed = Buffer.from(options.sealer.seal('options', encodeSessionState(state))).toString('base64url');
    rpc.setHeader('set-cookie', cookieHeader(SESSION_COOKIE, sealed, options.secure));
  };
  const use = (rpc: Rpc): SessionValues | null => {
    const session = openSession(rpc, options);
    if (session !== null) issue(rpc, session.options);
    return session?.options ?? null;
  };
  return {
    use: (rpc) => use(rpc) ?? {},
    set: async (rpc, body) => {
      const asked = decodeSetOptions(body);
      const values = new Map(Object.entries(openSession(rpc, options)?.options ?? {}));
      const faults = applyOptions(options.rules, values, asked, await options.planner.visibleCatalog(rpc.principal));
      issue(rpc, Object.fromEntries(values));
      await rpc.send(encodeResult(encodeSetOptionsResult(faults)));
    },
    get: async (rpc, body) => {
      checkGetOptions(body);
      // Without a session nothing is set, and asking starts none.
      const told = options.rules.tell(use(rpc) ?? {}, await options.planner.visibleCatalog(rpc.principal));
      await rpc.send(encodeResult(encodeGetOptionsResult(new Map(Object.entries(told)))));
    },
    close: async (rpc) => {
      if (cookieOf(rpc) !== undefined) rpc.setHeader('set-cookie', clearedCookie(SESSION_COOKIE, options.secure));
      await rpc.send(encodeResult(encodeSessionClosed()));
    },
  };
}

/** What can not be set stays as it was, and is named in the answer. */
function applyOptions(
  rules: OptionRules,
  values: Map<string, string>,
  asked: ReadonlyMap<string, OptionValue>,
  catalog: VisibleCatalog,
): ReadonlyMap<string, OptionFault> {
  const faults = new Map<string, OptionFault>();
  if (asked.size > OPTIONS_MAX) fail('request.malformed', `set at most ${OPTIONS_MAX} options at a time`);
  for (const [name, value] of asked) {
    const accepted = rules.accept(name, value, catalog);
    if (typeof accepted === 'string') faults.set(name, accepted);
    else if (value === null) values.delete(name);
    else values.set(name, accepted.kept);
  }
  return faults;
}

/** null without a cookie. A cookie that does not count is taken back, so that the next request goes through. */
function openSession(rpc: Rpc, options: SessionsOptions): SessionState | null {
  const cookie = cookieOf(rpc);
  if (cookie === undefined) return null;
  try {
    const state = decodeSessionState(options.sealer.open('options', Buffer.from(cookie, 'base64url')));
    if (state.subject === rpc.principal.subject && state.expiresAtMs > options.now()) return state;
  } catch (error) {
    if (!(error instanceof SluiceError)) throw error;
  }
  rpc.setHeader('set-cookie', clearedCookie(SESSION_COOKIE, options.secure));
  return fail('session.expired', 'the session has expired or is not yours; set its options again');
}

function cookieOf(rpc: Rpc): string | undefined {
  const value = readCookie(rpc.headers('cookie'), SESSION_COOKIE);
  return value === '' ? undefined : value;
}
