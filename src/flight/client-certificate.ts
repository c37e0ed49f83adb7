/** The client certificate of a call's connection, if TLS has verified one. */
import type { TLSSocket } from 'node:tls';
import type { ClientCertificate } from '../auth/index.ts';
import type { RawCall } from './fast-frames.ts';

/** undefined without TLS, without a certificate, and for one that no known authority signed. */
export function clientCertificateOf(call: Pick<RawCall, 'getAuthContext'>): ClientCertificate | undefined {
  const certificate: ReturnType<TLSSocket['getPeerCertificate']> | undefined = call.getAuthContext().sslPeerCertificate;
  if (certificate === undefined) return undefined;
  // Typed as a text, but several common names come as a list.
  const commonName: unknown = certificate.subject?.CN;
  return {
    subjectAltName: certificate.subjectaltname,
    commonName: typeof commonName === 'string' ? commonName : null,
    // A date that does not read counts as passed.
    validToMs: Date.parse(certificate.valid_to) || 0,
  };
}
