const DOT_ATOM = /^[A-Za-z0-9#$&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9#$&'*+/=?^_`{|}~-]+)*$/
const LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/

export interface EmailAddress {
  readonly local: string
  /** Lower-case A-labels. */
  readonly domain: string
}

/**
 * Reads `local@domain` (RFC 5321 §4.1.2), or nothing: an ASCII dot-atom of at most 64 characters and a lower-case domain.
 *
 * DIVERGENCE: no quoted local parts, comments, address literals or display names, and no `%` or `!`, which old mailers
 * take for a route to another domain. What two mailers could read differently is not an address here.
 */
export function parseEmailAddress(text: string): EmailAddress | undefined {
  if (text.length > 254) return undefined
  const at = text.indexOf('@')
  const local = text.slice(0, at)
  const domain = text.slice(at + 1)
  if (at < 1 || local.length > 64 || !DOT_ATOM.test(local) || !isDomain(domain)) return undefined
  return { local, domain }
}

/** Whether the text is a lower-case domain name of A-labels (RFC 5890 §2.3.2.1), at most 253 characters. */
export function isDomain(text: string): boolean {
  return text.length <= 253 && text.split('.').every((label) => LABEL.test(label))
}
