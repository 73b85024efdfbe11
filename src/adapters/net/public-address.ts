import ipaddr from 'ipaddr.js'

/**
 * Whether an address is one of the public internet: unicast, of no special range, and nothing that stands for another address.
 *
 * Asked for what may be connected to, not for what may not: a range that nobody has heard of is refused.
 */
export function isPublicAddress(text: string): boolean {
  if (!ipaddr.isValid(text)) return false
  const address = ipaddr.parse(text)
  // Loopback, private, link-local (cloud metadata), multicast, documentation, and for IPv6 what embeds an IPv4 address:
  // mapped (::ffff:0:0/96), NAT64 (RFC 6052, 8215), 6to4 (RFC 3056), Teredo (RFC 4380).
  if (address.range() !== 'unicast') return false
  if (!(address instanceof ipaddr.IPv6)) return isFourPart(text)
  // Only global unicast (RFC 4291 §2.4): IPv4-compatible addresses (::/96) and all that is not assigned lie outside of it.
  return address.zoneId === undefined && address.match(GLOBAL_UNICAST)
}

/** Whether an address is this machine's own. */
export function isLoopbackAddress(text: string): boolean {
  return ipaddr.isValid(text) && ipaddr.parse(text).range() === 'loopback'
}

const GLOBAL_UNICAST = ipaddr.IPv6.parseCIDR('2000::/3')

/** ipaddr.js reads `0x7f.1` and `2130706433` too; whoever hands us such a thing has not been through a URL parser. */
const isFourPart = (text: string) => ipaddr.IPv4.isValidFourPartDecimal(text)
