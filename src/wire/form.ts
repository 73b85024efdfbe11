import { isAscii } from 'node:buffer'
import { type Refusal, refuse } from '../core/refusal.ts'

const MAX_PARAMETERS = 64
const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/**
 * Parses a form body (`application/x-www-form-urlencoded`), refusing whatever two parsers could read in two ways.
 *
 * A name that occurs twice is refused (RFC 6749 §3.2), then a parameter without a value is treated as if it were omitted
 * (RFC 6749 §3.1). The size of the body is limited where it is read.
 */
export function parseForm(body: Uint8Array): Map<string, string> | Refusal<'request_malformed'> {
  const text = utf8(body)
  if (text === undefined) return refuse('request_malformed', 'the form is not UTF-8')
  const form = new Map<string, string>()
  if (text === '') return form
  // No parameter of ours has one, and the database keeps none.
  if (text.includes('\0') || text.includes('%00')) return refuse('request_malformed', 'the form is not well encoded')
  const pairs = text.split('&', MAX_PARAMETERS + 1)
  if (pairs.length > MAX_PARAMETERS) return refuse('request_malformed', 'the form has too many parameters')
  let hasEmpty = false
  for (const pair of pairs) {
    const equals = pair.indexOf('=')
    const name = decoded(equals < 0 ? pair : pair.slice(0, equals))
    const value = equals < 0 ? '' : decoded(pair.slice(equals + 1))
    if (name === undefined || value === undefined) return refuse('request_malformed', 'the form is not well encoded')
    if (name === '') return refuse('request_malformed', 'a parameter of the form has no name')
    if (form.has(name)) return refuse('request_malformed', 'a parameter of the form occurs twice', name)
    form.set(name, value)
    hasEmpty ||= value === ''
  }
  if (hasEmpty) for (const [name, value] of form) if (value === '') form.delete(name)
  return form
}

/** One name or value with `+` and escapes resolved, or undefined: every `%` must begin an escape, and all must be UTF-8. */
function decoded(text: string): string | undefined {
  const spaced = text.includes('+') ? text.replaceAll('+', ' ') : text
  if (!spaced.includes('%')) return spaced
  try {
    // Throws on a stray "%" and on escapes that are not UTF-8.
    return decodeURIComponent(spaced)
  } catch {
    return undefined
  }
}

function utf8(body: Uint8Array): string | undefined {
  // Most forms are: there is nothing to decode then.
  if (isAscii(body)) return Buffer.from(body.buffer, body.byteOffset, body.length).toString('latin1')
  try {
    return UTF8.decode(body)
  } catch {
    return undefined
  }
}
