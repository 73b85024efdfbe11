import type { IncomingMessage } from 'node:http'
import { type Refusal, refuse } from '../core/refusal.ts'

/** Reads a request's body whole, and no more of it than `maxBytes`. */
export async function readBody(
  request: IncomingMessage,
  maxBytes: number,
): Promise<Uint8Array | Refusal<'request_too_large' | 'request_malformed'>> {
  const tooLarge = refuse('request_too_large', `the body is larger than ${maxBytes} bytes`)
  // What the header says is believed when it is too much: nothing is read then.
  if (Number(request.headers['content-length'] ?? 0) > maxBytes) return tooLarge
  const chunks: Buffer[] = []
  let receivedBytes = 0
  try {
    for await (const chunk of request.iterator({ destroyOnReturn: false })) {
      receivedBytes += (chunk as Buffer).length
      if (receivedBytes > maxBytes) return tooLarge
      chunks.push(chunk as Buffer)
    }
  } catch {
    return refuse('request_malformed', 'the body ended before its time')
  }
  return chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks, receivedBytes)
}
