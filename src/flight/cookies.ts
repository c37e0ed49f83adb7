/** The one cookie of this server: what browsers call a session cookie, sent by Flight clients that keep cookies. */

/** The name that Flight suggests. */
export const SESSION_COOKIE = 'arrow_flight_session_id';

/** The cookie's value in the `cookie` headers of a request; the first one counts, as the most specific. */
export function readCookie(headers: readonly string[], name: string): string | undefined {
  for (const part of headers.join(';').split(';')) {
    const [key = '', ...value] = part.split('=');
    if (key.trim() === name) return value.join('=').trim();
  }
  return undefined;
}

/** Without an age: the client keeps it, and the server says when it has expired. */
export function cookieHeader(name: string, value: string, secure: boolean): string {
  return `${name}=${value}; Path=/; HttpOnly${secure ? '; Secure' : ''}`;
}

/** Makes the client forget it. */
export function clearedCookie(name: string, secure: boolean): string {
  return `${cookieHeader(name, '', secure)}; Max-Age=0`;
}
