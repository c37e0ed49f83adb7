import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { fetchJson, isTrustedUrl } from '#src/auth/fetch-json.js';

let server: Server;
let url: string;

beforeAll(async () => {
  server = createServer((request, response) => {
    switch (request.url) {
      case '/good':
        return response.end('{"a":1}');
      case '/redirect':
        return response.writeHead(302, { location: '/good' }).end();
      case '/large':
        return response.end(JSON.stringify({ a: 'x'.repeat(2 * 1024 * 1024) }));
      case '/list':
        return response.end('[1]');
      case '/text':
        return response.end('hello');
      default:
        return response.writeHead(404).end('{}');
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterAll(() => {
  server.closeAllConnections();
  server.close();
});

test('an object is read; everything else is refused', async () => {
  expect(await fetchJson(`${url}/good`)).toEqual({ a: 1 });
  for (const path of ['/redirect', '/large', '/list', '/text', '/missing']) await expect(fetchJson(url + path), path).rejects.toThrow();
  await expect(fetchJson('http://127.0.0.1:1/closed')).rejects.toThrow();
});

test.each([
  ['https://id.example.com/realm', true],
  ['https://id.example.com:8443', true],
  ['http://localhost:8080', true],
  ['http://127.0.0.1:8080', true],
  ['http://[::1]:8080', true],
  ['http://id.example.com', false],
  ['http://127.0.0.1.example.com', false],
  ['https://user:password@id.example.com', false],
  ['file:///etc/passwd', false],
  ['ftp://127.0.0.1', false],
  ['id.example.com', false],
  ['', false],
])('%s is trusted: %s', async (text, trusted) => {
  expect(isTrustedUrl(text)).toBe(trusted);
  if (!trusted) await expect(fetchJson(text)).rejects.toThrow('neither https nor on loopback');
});
