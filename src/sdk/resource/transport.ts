/** Whether a URL may be fetched from and relied upon: https, or http on a loopback host for development. */
export function isTransportSafe(url: string): boolean {
  if (!URL.canParse(url)) return false
  const { protocol, hostname, username, password } = new URL(url)
  if (username !== '' || password !== '') return false
  return protocol === 'https:' || (protocol === 'http:' && isLoopback(hostname))
}

/** Whether text is an origin as it is serialized, without path or trailing slash, and safe to rely upon. */
export function isOrigin(text: string): boolean {
  return isTransportSafe(text) && new URL(text).origin === text
}

const isLoopback = (hostname: string) =>
  hostname === 'localhost' || hostname === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(hostname)
