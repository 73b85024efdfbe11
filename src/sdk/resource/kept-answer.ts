const KiB = 1024
export const MAX_ANSWER_BYTES = 64 * KiB

/** The answer of a call, as it is kept for its retry. */
export interface KeptAnswer {
  /** HTTP status, or what stands for one. */
  readonly status: number
  /** Only headers of `KEPT_HEADERS`: no cookie and no token is kept. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array
}

/** What an effect may answer: text and bytes as they are, everything else as JSON. */
export interface CallAnswer {
  /** Default: 200. */
  readonly status?: number
  /** Those that say what the body is, or where the result is; others are not kept. Names in lower case. */
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: unknown
}

/** Headers that are part of an answer and not of the connection or of who asked. */
export const KEPT_HEADERS: readonly string[] = ['content-type', 'content-language', 'location', 'etag', 'last-modified']

/** Makes an answer one that can be kept. @returns undefined when its body is a stream. @throws for what is no JSON. */
export function toKeptAnswer({ status = 200, headers = {}, body }: CallAnswer): KeptAnswer | undefined {
  const kept = Object.fromEntries(Object.entries(headers).filter(([name]) => KEPT_HEADERS.includes(name)))
  if (body === undefined || body === null) return { status, headers: kept, body: new Uint8Array() }
  if (body instanceof Uint8Array) return { status, headers: kept, body: Uint8Array.from(body) }
  if (typeof body === 'string') return { status, headers: kept, body: Buffer.from(body, 'utf8') }
  if (isStream(body)) return undefined
  const text = JSON.stringify(body)
  if (text === undefined) throw new TypeError('the body of an answer must be text, bytes or JSON')
  return {
    status,
    headers: { 'content-type': 'application/json; charset=utf-8', ...kept },
    body: Buffer.from(text, 'utf8'),
  }
}

/** What an answer takes to keep. Unit: bytes. */
export const answerBytes = ({ headers, body }: KeptAnswer): number =>
  body.length + Object.entries(headers).reduce((sum, [name, value]) => sum + name.length + value.length, 0)

const isStream = (body: unknown): boolean =>
  typeof body === 'object' && body !== null && ('pipe' in body || 'getReader' in body || Symbol.asyncIterator in body)
