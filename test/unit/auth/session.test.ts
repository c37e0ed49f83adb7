import { beforeEach, expect, test } from 'vitest';
import { createSessions, type Session, type Sessions } from '#src/auth/session.js';
import { createSealer, encodeSession } from '#src/wire/index.js';

const sealer = createSealer([{ id: 'k1', key: new Uint8Array(32).fill(7) }]);
const invalid = expect.objectContaining({ code: 'auth.invalid' });
const session: Session = { subject: 'ada', origin: 'password', credential: Buffer.from('digest'), endsAtMs: 100_000, facts: null };

let nowMs: number;
let sessions: Sessions;

beforeEach(() => {
  nowMs = 1000;
  sessions = createSessions(sealer, 10_000, () => nowMs);
});

const bytes = (text: string | null) => Buffer.from(text ?? '', 'base64');

test('what was issued is read back, facts included', () => {
  expect(sessions.open(bytes(sessions.issue(session)))).toEqual(session);
  const facts = { groups: ['oidc:a'], attributes: { region: ['EU'] } };
  expect(sessions.open(bytes(sessions.issue({ ...session, origin: 'oidc', facts })))).toMatchObject({ origin: 'oidc', facts });
});

test('it ends unused after its time, and at its end however much it is used', () => {
  let bearer = bytes(sessions.issue(session));
  nowMs += 10_000;
  expect(() => sessions.open(bearer)).toThrow(invalid);
  bearer = bytes(sessions.issue(session));
  for (; nowMs < 95_000; nowMs += 5_000) bearer = bytes(sessions.issue(sessions.open(bearer)));
  expect(sessions.open(bearer).endsAtMs).toBe(100_000);
  nowMs = 100_000;
  expect(() => sessions.open(bearer)).toThrow(invalid);
  expect(() => sessions.open(bytes(sessions.issue(session)))).toThrow(invalid);
});

test('other cluster keys, purposes and content are refused', () => {
  const other = createSessions(createSealer([{ id: 'k1', key: new Uint8Array(32).fill(8) }]), 10_000, () => nowMs);
  expect(() => other.open(bytes(sessions.issue(session)))).toThrow(invalid);
  for (const purpose of ['ticket', 'prepared'] as const)
    expect(() => sessions.open(sealer.seal(purpose, Buffer.from('x')))).toThrow(invalid);
  const strange = encodeSession({ ...session, origin: 'admin', expiresAtMs: 50_000, facts: '' });
  expect(() => sessions.open(sealer.seal('session', strange))).toThrow(invalid);
  expect(() => sessions.open(sealer.seal('session', Buffer.from('nonsense')))).toThrow(invalid);
});

test('too many facts for a header give no bearer', () => {
  const groups = Array.from({ length: 1000 }, (_, i) => `oidc:group-${i}`);
  expect(sessions.issue({ ...session, facts: { groups, attributes: {} } })).toBeNull();
});
