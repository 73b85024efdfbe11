import { usageError } from '../cli-error.ts'

const LOOPBACK = /^(?:localhost|\[::1\]|127\.\d+\.\d+\.\d+)$/

/** Reads the address of the server: an origin, https, or http on this machine. */
export function readIssuer(text: string): string {
  const mend =
    'give --issuer or WRIT_ISSUER an origin such as https://as.example, as the server prints it when it starts'
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined) throw usageError(`the issuer "${text}" is not a URL`, mend)
  if (url.username !== '' || url.password !== '')
    throw usageError('the issuer must not hold a user name or password', mend)
  if (url.origin !== text.replace(/\/$/, '')) {
    throw usageError(`the issuer "${text}" must be an origin, without path, query or fragment`, mend)
  }
  // Whoever listens on the way would read the administrator's token (RFC 6750 §5.2).
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && LOOPBACK.test(url.hostname))) {
    throw usageError(`the issuer "${text}" must be https; http is for this machine only`, mend)
  }
  return url.origin
}
