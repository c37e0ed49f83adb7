import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { compilePolicy } from '#src/policy/index.js';
import { encodeTicket } from '#src/wire/index.js';
import { ana, boss, createPlannerFixture, OPTIONS, olga, type PlannerFixture, SNAPSHOT } from './fixture.ts';

let fixture: PlannerFixture;
beforeAll(async () => {
  fixture = await createPlannerFixture();
});
afterAll(() => fixture[Symbol.asyncDispose]());

const ticketOf = async (sql: string): Promise<Uint8Array> => {
  const { tickets } = await fixture.planner.plan({ principal: ana, sql, options: OPTIONS });
  return tickets[0] ?? new Uint8Array();
};

describe('renewing a ticket', () => {
  test('gives the same task a later expiry', async () => {
    const ticket = await ticketOf('SELECT name FROM people');
    const first = fixture.open(ticket);
    fixture.clockMs += 900;
    const renewed = await fixture.planner.renew(ticket, ana);
    expect(fixture.open(renewed.ticket)).toEqual({ ...first, expiresAtMs: first.expiresAtMs + 900 });
    expect(renewed.expiresAtMs).toBe(first.expiresAtMs + 900);
    const inline = await fixture.planner.renew(await ticketOf('EXPLAIN POLICY SELECT name FROM people'), ana);
    expect(fixture.open(inline.ticket).task.kind).toBe('inline');
  });

  test('ends a day after it was first issued', async () => {
    let ticket = await ticketOf('SELECT name FROM people');
    const { issuedAtMs } = fixture.open(ticket);
    const sealed = { ...fixture.open(ticket), expiresAtMs: issuedAtMs + 24 * 3600 * 1000 };
    fixture.clockMs = sealed.expiresAtMs - 10;
    ticket = fixture.sealer.seal('ticket', encodeTicket(sealed));
    expect((await fixture.planner.renew(ticket, ana)).expiresAtMs).toBe(sealed.expiresAtMs);
    fixture.clockMs += 10;
    await expect(fixture.planner.renew(ticket, ana)).rejects.toMatchObject({ code: 'ticket.expired' });
  });

  test('is for its principal, before its end, and under the policy it was planned with', async () => {
    const ticket = await ticketOf('SELECT name FROM people');
    await expect(fixture.planner.renew(ticket, boss)).rejects.toMatchObject({ code: 'ticket.principal' });
    await expect(fixture.planner.renew(ticket, olga)).rejects.toMatchObject({ code: 'ticket.principal' });
    await expect(fixture.planner.renew(new Uint8Array(64), ana)).rejects.toMatchObject({ code: 'ticket.invalid' });
    const { policy } = fixture;
    fixture.policy = await compilePolicy({ ...SNAPSHOT, epoch: 8, rowFilters: [] });
    await expect(fixture.planner.renew(ticket, ana)).rejects.toMatchObject({ code: 'policy.changed' });
    fixture.policy = policy;
    await fixture.planner.renew(ticket, ana);
    fixture.clockMs += 1000;
    await expect(fixture.planner.renew(ticket, ana)).rejects.toMatchObject({ code: 'ticket.expired' });
  });
});
