import { afterEach, expect, test } from 'vitest';
import { createAuditLog } from '#src/audit.js';
import { SluiceError } from '#src/errors.js';
import { createMetrics, type Metrics } from '#src/metrics.js';
import { parseMetrics } from '../support/metrics.ts';

const made: Metrics[] = [];
afterEach(() => {
  for (const metrics of made.splice(0)) metrics[Symbol.dispose]();
});

function metered() {
  const metrics = createMetrics();
  made.push(metrics);
  const lines: string[] = [];
  const log = metrics.meter(createAuditLog((line) => lines.push(line)));
  return { metrics, log, lines, read: async () => parseMetrics((await metrics.render()).text) };
}

const request = { requestId: '1', method: 'DoGet', peer: 'here' };

test('each request of the audit log is counted once, by method and status', async () => {
  const { log, lines, read } = metered();
  const ok = log.begin(request);
  expect((await read()).value('sluice_requests_running', { method: 'DoGet' })).toBe(1);
  ok.finish('ok');
  ok.finish('error', new Error('late'));
  log.begin(request).finish('refused', new SluiceError('auth.invalid', 'no'));
  log.begin(request).finish('error', new Error('odd'));
  const found = await read();
  expect(found.value('sluice_request_seconds_count', { method: 'DoGet', code: 'OK' })).toBe(1);
  expect(found.value('sluice_request_seconds_count', { method: 'DoGet', code: 'UNAUTHENTICATED' })).toBe(1);
  expect(found.value('sluice_request_seconds_count', { method: 'DoGet', code: 'INTERNAL' })).toBe(1);
  expect(found.value('sluice_errors_total', { error: 'auth.invalid' })).toBe(1);
  expect(found.value('sluice_errors_total', { error: 'server.internal' })).toBe(1);
  expect(found.value('sluice_requests_running', { method: 'DoGet' })).toBe(0);
  expect(lines).toHaveLength(3);
});

test('running totals are counted as they grow, and nothing after the end', async () => {
  const { log, read } = metered();
  const entry = log.begin(request);
  entry.add({ rows: 10, bytes: 100 });
  entry.add({ rows: 30, bytes: 300 });
  entry.add({ principal: 'ann' });
  log.begin(request).add({ rows: 5 });
  expect((await read()).value('sluice_rows_sent_total')).toBe(35);
  entry.finish('ok');
  entry.add({ rows: 99 });
  expect((await read()).value('sluice_bytes_sent_total')).toBe(300);
  expect((await read()).value('sluice_rows_sent_total')).toBe(35);
});

test('decisions are counted by effect', async () => {
  const { log, read } = metered();
  const decision = { dataset: 'demo.secret', grants: [], rules: [] };
  log.begin(request).add({
    decisions: [
      { ...decision, effect: 'allow' },
      { ...decision, effect: 'allow' },
      { ...decision, effect: 'deny' },
    ],
  });
  expect((await read()).value('sluice_policy_decisions_total', { effect: 'allow' })).toBe(2);
  expect((await read()).value('sluice_policy_decisions_total', { effect: 'deny' })).toBe(1);
});

test('nothing of a client gets into a label', async () => {
  const { metrics, log } = metered();
  const entry = log.begin({ ...request, peer: 'secret-peer' });
  entry.add({ principal: 'secret-name', statement: 'secret-sql', command: 'secret-command', queryId: 'secret-id', rows: 1 });
  entry.add({ decisions: [{ dataset: 'secret-dataset', effect: 'deny', grants: ['secret-grant'], rules: ['secret-rule'] }] });
  entry.finish('refused', new SluiceError('sql.binding', 'secret-column'));
  expect((await metrics.render()).text).not.toContain('secret');
});

test('gauges are read at the scrape; two servers do not share', async () => {
  const [one, two] = [metered(), metered()];
  let running = 3;
  one.metrics.read({ queries_running: () => running, draining: () => 1, catalog_hits_total: () => running * 2 });
  expect((await one.read()).value('sluice_queries_running')).toBe(3);
  expect((await one.read()).value('sluice_catalog_hits_total')).toBe(6);
  running = 4;
  expect((await one.read()).value('sluice_queries_running')).toBe(4);
  expect((await two.read()).value('sluice_queries_running')).toBeUndefined();
  one.metrics.planned(0.004);
  expect((await one.read()).value('sluice_plan_seconds_bucket', { le: '0.005' })).toBe(1);
  expect((await two.read()).value('sluice_plan_seconds_count')).toBe(0);
});

test('waits, first batches, memory and the process are there', async () => {
  const { metrics, read } = metered();
  metrics.waited('query', 0.5);
  metrics.waited('plan', 0);
  metrics.firstBatch(0.1);
  metrics.endedForMemory();
  const found = await read();
  expect(found.value('sluice_wait_seconds_sum', { what: 'query' })).toBe(0.5);
  expect(found.value('sluice_first_batch_seconds_count')).toBe(1);
  expect(found.value('sluice_ended_for_memory_total')).toBe(1);
  expect(found.value('process_resident_memory_bytes')).toBeGreaterThan(1e6);
  expect(found.value('process_cpu_seconds_total')).toBeGreaterThan(0);
  // whole seconds, rounded up for a process of less than half a second
  expect(found.value('process_start_time_seconds')).toBeLessThan(Date.now() / 1000 + 1);
  expect(found.value('nodejs_eventloop_lag_max_seconds')).toBeGreaterThanOrEqual(0);
});
