import type { PeerCertificate } from 'node:tls';
import { expect, test } from 'vitest';
import { clientCertificateOf } from '#src/flight/client-certificate.js';

const shown = (certificate: Partial<PeerCertificate> | undefined) =>
  clientCertificateOf({ getAuthContext: () => (certificate === undefined ? {} : { sslPeerCertificate: certificate as PeerCertificate }) });

test('without a verified certificate there is none', () => {
  expect(shown(undefined)).toBeUndefined();
});

test('names and end of validity', () => {
  const certificate = {
    subject: { CN: 'etl' } as PeerCertificate['subject'],
    subjectaltname: 'URI:sluice://user/etl',
    valid_to: 'Nov 23 19:10:10 2026 GMT',
  };
  expect(shown(certificate)).toEqual({
    commonName: 'etl',
    subjectAltName: 'URI:sluice://user/etl',
    validToMs: Date.UTC(2026, 10, 23, 19, 10, 10),
  });
});

test('several common names are none, and a date that does not read has passed', () => {
  const subject = { CN: ['etl', 'steward'] as unknown as string } as PeerCertificate['subject'];
  expect(shown({ subject, valid_to: 'soon' })).toEqual({ commonName: null, subjectAltName: undefined, validToMs: 0 });
});
