/** Client certificate → the names it proves. The TLS layer has already checked the chain, the validity and the key. */

export interface ClientCertificate {
  /** As Node prints it: `URI:sluice://user/etl, DNS:host`. */
  readonly subjectAltName: string | undefined;
  /** null when the subject has none, or several. */
  readonly commonName: string | null;
  readonly validToMs: number;
}

/** Node quotes a value that holds anything special, so that a name can't forge a second one. */
const ALTERNATIVE = /(?:^|(?<=.), )([A-Za-z][A-Za-z ]*):("(?:[^"\\]|\\.)*"|[^", ][^",]*)(?=, |$)/sy;

/** The URIs; only without any, the common name. Empty when a list of names does not read cleanly. */
export function certificateNames(certificate: ClientCertificate): readonly string[] {
  const uris = readUris(certificate.subjectAltName ?? '');
  if (uris === null) return [];
  return uris.length > 0 || certificate.commonName === null ? uris : [certificate.commonName];
}

function readUris(text: string): readonly string[] | null {
  const uris: string[] = [];
  const scan = new RegExp(ALTERNATIVE);
  while (scan.lastIndex < text.length) {
    const match = scan.exec(text);
    if (match === null) return null;
    // A quoted URI is never one that a policy names: exact text is all that counts.
    if (match[1] === 'URI' && match[2]?.startsWith('"') === false) uris.push(match[2]);
  }
  return uris;
}
