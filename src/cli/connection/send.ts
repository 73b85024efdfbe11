import { CliError, EXIT } from '../cli-error.ts'

const MiB = 1024 * 1024
const TIMEOUT_MILLISECONDS = 30_000
const MAX_ANSWER_BYTES = 32 * MiB

export interface Reply {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  /** The parsed body; undefined when it is not JSON. */
  readonly json: unknown
}

/** One HTTP request, to this address and no other: a redirect could carry a token elsewhere. */
export async function send(url: string, init: RequestInit): Promise<Reply> {
  try {
    const response = await fetch(url, { ...init, redirect: 'error', signal: AbortSignal.timeout(TIMEOUT_MILLISECONDS) })
    const chunks: Uint8Array[] = []
    let size = 0
    for await (const chunk of response.body ?? []) {
      size += chunk.length
      if (size > MAX_ANSWER_BYTES) throw new Error('the answer is larger than 32 MiB')
      chunks.push(chunk)
    }
    const text = Buffer.concat(chunks).toString('utf8')
    return { status: response.status, headers: response.headers, text, json: jsonOf(text) }
  } catch (error) {
    throw new CliError(EXIT.unreachable, `the server cannot be reached: ${reasonOf(error)}`, {
      where: new URL(url).origin,
      mend: 'is it running (npm start), and is this its address? Another one: --issuer or WRIT_ISSUER',
      cause: error,
    })
  }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** `fetch failed` says nothing; what lies below it does. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  if (error.name === 'TimeoutError') return 'no answer within 30 seconds'
  const { cause } = error
  if (cause instanceof AggregateError) return reasonOf(cause.errors[0])
  return cause instanceof Error ? reasonOf(cause) : error.message
}
