import type { IncomingMessage } from 'node:http'
import { type Refusal, refuse } from '../core/refusal.ts'

const MiB = 1024 * 1024
/** Of a body that is too large, so much more is taken and dropped: who sends first and listens then is to hear of it. */
const MAX_DISCARDED_BYTES = 16 * MiB

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
  // Whoever hung up before it was read, even if all of it had come: nothing is told of that stream any more.
  if (request.destroyed) return Promise.resolve(broken)
  return new Promise((resolve) => {
    const chunks: Buffer[] = []
    let receivedBytes = 0
    let isRead = false
    const settle = (body: Parameters<typeof resolve>[0]) => {
      request.off('data', onData).off('end', onEnd).off('error', onBroken).off('close', onBroken)
      resolve(body)
    }
    const onData = (chunk: Buffer) => {
      receivedBytes += chunk.length
      if (receivedBytes > maxBytes) {
        settle(tooLarge)
        return discard(request)
      }
      chunks.push(chunk)
    }
    // Nobody listens any more to a stream that has ended: taking off each listener would cost more than reading the body.
    const onEnd = () => {
      isRead = true
      resolve(chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks, receivedBytes))
    }
    const onBroken = () => {
      if (isRead) return
      request.on('error', () => {}) // what breaks after the answer is settled is nobody's concern
      settle(broken)
    }
    request.on('data', onData).on('end', onEnd).on('error', onBroken).on('close', onBroken)
  })
}

/** Lets the rest of a body go by, so that the next request of the connection is found; a body without end ends it. */
function discard(request: IncomingMessage): void {
  let left = MAX_DISCARDED_BYTES
  request.on('data', (chunk: Buffer) => {
    left -= chunk.length
    if (left < 0) request.destroy()
  })
}
