import type { IncomingMessage } from 'node:http'
import { type Refusal, refuse } from '../core/refusal.ts'

/**
 * Reads a request's body whole, and no more of it than `maxBytes`.
 *
 * By events: an iterator over the body would cost several turns of the event loop for each request.
 */
export function readBody(
  request: IncomingMessage,
  maxBytes: number,
): Promise<Uint8Array | Refusal<'request_too_large' | 'request_malformed'>> {
  const tooLarge = refuse('request_too_large', `the body is larger than ${maxBytes} bytes`)
  // What the header says is believed when it is too much: nothing is read then.
  if (Number(request.headers['content-length'] ?? 0) > maxBytes) return Promise.resolve(tooLarge)
  const broken = refuse('request_malformed', 'the body ended before its time')
  if (request.destroyed && !request.complete) return Promise.resolve(broken)
  return new Promise((resolve) => {
    const chunks: Buffer[] = []
    let receivedBytes = 0
    const settle = (body: Parameters<typeof resolve>[0]) => {
      request.off('data', onData).off('end', onEnd).off('error', onBroken).off('close', onBroken)
      resolve(body)
    }
    const onData = (chunk: Buffer) => {
      receivedBytes += chunk.length
      if (receivedBytes > maxBytes) {
        request.pause()
        return settle(tooLarge)
      }
      chunks.push(chunk)
    }
    const onEnd = () =>
      settle(chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks, receivedBytes))
    const onBroken = () => {
      request.on('error', () => {}) // what breaks after the answer is settled is nobody's concern
      settle(broken)
    }
    request.on('data', onData).on('end', onEnd).on('error', onBroken).on('close', onBroken)
  })
}
