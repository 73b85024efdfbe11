import { isJsonObject, type JsonObject, parseJson } from '../../core/json.ts'
import { isRefusal } from '../../core/refusal.ts'

const TIMEOUT_MILLISECONDS = 5_000

/**
 * Fetches a JSON object: no redirects, at most `maxBytes` after decoding, five seconds for all of it.
 *
 * @returns undefined when it cannot be had, for whatever reason. Never throws.
 */
export async function fetchJson(url: string, maxBytes: number): Promise<JsonObject | undefined> {
  try {
    const response = await fetch(url, {
      headers: { accept: 'application/json' },
      redirect: 'error',
      signal: AbortSignal.timeout(TIMEOUT_MILLISECONDS),
    })
    if (response.status !== 200 || response.body === null) {
      await response.body?.cancel()
      return undefined
    }
    const chunks: Uint8Array[] = []
    let size = 0
    // Leaving the loop cancels the body.
    for await (const chunk of response.body) {
      size += chunk.length
      if (size > maxBytes) return undefined
      chunks.push(chunk)
    }
    const value = parseJson(Buffer.concat(chunks), { maxBytes })
    return !isRefusal(value) && isJsonObject(value) ? value : undefined
  } catch {
    // Unreachable, too slow, cut off: all the same to whoever wants the document.
    return undefined
  }
}
