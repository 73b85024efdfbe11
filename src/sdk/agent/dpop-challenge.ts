/** What a `WWW-Authenticate: DPoP …` header says (RFC 9449 §7.1). */
export interface DpopChallenge {
  readonly error: string | undefined
  readonly description: string | undefined
}

const KiB = 1024
const MAX_CHARACTERS = 8 * KiB

/** One parameter, or the scheme that begins a challenge (RFC 9110 §11.6.1). */
const PART =
  /[\s,]*([!#$%&'*+.^_`|~0-9A-Za-z-]+)(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([!#$%&'*+.^_`|~0-9A-Za-z-]+))|(?=[\s,]|$))/y

/** Finds the DPoP challenge among those of an answer; undefined when there is none, or the header cannot be read. */
export function dpopChallenge(headers: Headers): DpopChallenge | undefined {
  const text = headers.get('www-authenticate')
  if (text === null || text.length > MAX_CHARACTERS) return undefined
  let scheme = ''
  let found: Map<string, string> | undefined
  PART.lastIndex = 0
  for (let part = PART.exec(text); part !== null; part = PART.exec(text)) {
    const [, name = '', quoted, plain] = part
    const value = quoted?.replace(/\\(.)/g, '$1') ?? plain
    if (value === undefined) {
      scheme = name.toLowerCase()
      if (scheme === 'dpop') found ??= new Map()
    } else if (scheme === 'dpop' && found !== undefined && !found.has(name.toLowerCase())) {
      found.set(name.toLowerCase(), value)
    }
  }
  return found && { error: found.get('error'), description: found.get('error_description') }
}
