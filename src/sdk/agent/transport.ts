import type { JsonObject } from '../../core/json.ts'
import { WritFault } from './fault.ts'

/** How this agent reaches its issuer. */
export interface Transport {
  readonly fetch: typeof globalThis.fetch
  /** For one request and all of its answer. Unit: seconds. */
  readonly timeoutSeconds: number
}

/** @throws TypeError for a time that is none. */
export function createTransport(options: {
  readonly fetch?: typeof globalThis.fetch
  readonly timeoutSeconds?: number
}): Transport {
  const { fetch = globalThis.fetch, timeoutSeconds = 10 } = options
  if (typeof fetch !== 'function') throw new TypeError('fetch must be a function')
  if (!(timeoutSeconds > 0 && timeoutSeconds <= 600))
    throw new TypeError('timeoutSeconds must be more than 0, at most 600')
  // Wrapped: a browser's fetch refuses to be called as a method of another object.
  return { fetch: (input, init) => fetch(input, init), timeoutSeconds }
}

/** An answer of the issuer. */
export interface Answer {
  readonly status: number
  readonly headers: Headers
  /** Undefined when the answer is not a JSON object. */
  readonly body: JsonObject | undefined
}

const KiB = 1024
/** A page of 200 delegations with large bounds; a token answer has 64 KiB of action. */
const MAX_BYTES = 4 * 1024 * KiB

/**
 * Sends one request to the issuer and reads its answer: no redirects, no cookies, limited in time and size.
 *
 * @throws WritFault when there is no answer, or one that is too large or redirects; the reason of the caller's `signal`.
 */
export async function send(
  transport: Transport,
  url: string,
  init: RequestInit,
  signal?: AbortSignal,
): Promise<Answer> {
  signal?.throwIfAborted()
  const timeout = AbortSignal.timeout(transport.timeoutSeconds * 1_000)
  try {
    const response = await transport.fetch(url, {
      ...init,
      redirect: 'manual',
      credentials: 'omit',
      signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]),
    })
    if (isRedirect(response)) {
      await response.body?.cancel()
      throw new WritFault('unexpected_answer', 'the server redirects, which is never followed', {
        status: response.status,
      })
    }
    return { status: response.status, headers: response.headers, body: parseObject(await readText(response)) }
  } catch (error) {
    if (error instanceof WritFault) throw error
    signal?.throwIfAborted()
    if (timeout.aborted) {
      throw new WritFault('timed_out', `the server has not answered within ${transport.timeoutSeconds} s`)
    }
    const code = systemCode(error)
    throw new WritFault('unreachable', `the server cannot be reached${code === undefined ? '' : ` (${code})`}`)
  }
}

/** Whether an answer sends its reader elsewhere; a browser shows that and nothing more. */
export const isRedirect = ({ type, status }: Response): boolean =>
  type === 'opaqueredirect' || (status >= 300 && status < 400 && status !== 304)

/** The system's word for what went wrong, such as ECONNREFUSED. The error itself may quote the request: it is dropped. */
export function systemCode(error: unknown): string | undefined {
  let cause: unknown = error
  for (let depth = 0; depth < 5 && typeof cause === 'object' && cause !== null; depth++) {
    const { code } = cause as { readonly code?: unknown }
    if (typeof code === 'string' && /^[A-Z][A-Z0-9_]{1,63}$/.test(code)) return code
    cause = (cause as { readonly cause?: unknown }).cause
  }
  return undefined
}

/** A reader and not an async loop over the body, which not every browser has. */
async function readText(response: Response): Promise<string> {
  if (response.body === null) return ''
  const reader = response.body.getReader()
  const decoder = new TextDecoder('utf-8', { fatal: true })
  let text = ''
  let bytes = 0
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return text + decoder.decode()
    bytes += value.length
    if (bytes > MAX_BYTES) {
      await reader.cancel()
      throw new WritFault('unexpected_answer', 'the answer of the server is too large', { status: response.status })
    }
    text += decoder.decode(value, { stream: true })
  }
}

function parseObject(text: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(text)
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value)
    return isObject ? (value as JsonObject) : undefined
  } catch {
    return undefined
  }
}
