/** Whether a host name or address is this machine alone: what may go without encryption, and where the demo's well-known passwords may be. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host === '[::1]' || /^127(\.\d{1,3}){3}$/.test(host);
}
