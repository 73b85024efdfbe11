import type { RequestListener } from 'node:http'
import type { Socket } from 'node:net'
import { newRequestId } from './request-id.ts'

/** Asked by who watches the process: an answer there says how the process is, however much it has to do. */
const ALWAYS_ANSWERED: ReadonlySet<string | undefined> = new Set(['/healthz', '/readyz'])
/** Open for as long as its follower listens: nothing to do, so not under way. */
const FOLLOWED = '/revocations'
/** With fewer under way it is not the requests that make the process late, but the machine: to turn one away would help nobody. */
const MIN_IN_FLIGHT = 32
const RETRY_AFTER_SECONDS = '1'
const OAUTH_BODY = JSON.stringify({
  error: 'temporarily_unavailable',
  error_description: 'too much to do, nothing was issued',
})

/**
 * Turns requests away before anything of them is read, while there is more to do than can be done: what is admitted keeps its pace.
 *
 * @param onShed told of each that was turned away.
 */
export function shedding(isOver: () => boolean, onShed: () => void, handle: RequestListener): RequestListener {
  let inFlight = 0
  const underWay = new WeakMap<Socket, { requests: number }>()
  /** By connection: of pipelined requests whose connection breaks, only the first answer is told that it closed. */
  const connectionOf = (socket: Socket) => {
    const known = underWay.get(socket)
    if (known !== undefined) return known
    const connection = { requests: 0 }
    underWay.set(socket, connection)
    socket.once('close', () => {
      inFlight -= connection.requests
      connection.requests = 0
    })
    return connection
  }
  return (request, response) => {
    if (inFlight < MIN_IN_FLIGHT || !isOver() || ALWAYS_ANSWERED.has(request.url)) {
      if (request.url === FOLLOWED) return handle(request, response)
      const connection = connectionOf(request.socket)
      connection.requests += 1
      inFlight += 1
      response.once('close', () => {
        if (connection.requests === 0) return
        connection.requests -= 1
        inFlight -= 1
      })
      return handle(request, response)
    }
    onShed()
    const requestId = newRequestId()
    const isAdmin = request.url?.startsWith('/admin/') ?? false
    const body = isAdmin ? problemBody(requestId) : OAUTH_BODY
    response
      .writeHead(503, {
        'Content-Type': isAdmin ? 'application/problem+json' : 'application/json; charset=utf-8',
        'Content-Length': Buffer.byteLength(body),
        'Cache-Control': 'no-store',
        'Retry-After': RETRY_AFTER_SECONDS,
        'X-Request-Id': requestId,
      })
      .end(body)
  }
}

/** (RFC 9457) */
const problemBody = (requestId: string) =>
  JSON.stringify({
    ...{ type: 'about:blank', title: 'Service Unavailable', status: 503 },
    ...{ detail: 'too much to do; nothing was done', request_id: requestId },
  })
