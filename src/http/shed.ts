import type { RequestListener, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { newRequestId } from './request-id.ts'

/** Asked by who watches the process: an answer there says how the process is, however much it has to do. */
const ALWAYS_ANSWERED: ReadonlySet<string | undefined> = new Set(['/healthz', '/readyz'])
/** With fewer under way it is not the requests that make the process late, but the machine: to turn one away would help nobody. */
const MIN_IN_FLIGHT = 32
const RETRY_AFTER_SECONDS = '1'
const OAUTH_BODY = JSON.stringify({
  error: 'temporarily_unavailable',
  error_description: 'too much to do, nothing was issued',
})

/** Who knows how much is too much. */
export interface Overload {
  /** @param underWay requests that came whole and are not answered yet. */
  readonly isOver: (underWay: number) => boolean
  /** Told of each request that was taken and is answered, or whose sender went away. */
  readonly answered: () => void
}

/**
 * Turns requests away before anything of them is read, while there is more to do than can be done: what is admitted keeps its pace.
 *
 * @param onShed told of each that was turned away.
 */
export function shedding({ isOver, answered }: Overload, onShed: () => void, handle: RequestListener): RequestListener {
  const taken = new Set<ServerResponse>()
  const byConnection = new WeakMap<Socket, Set<ServerResponse>>()
  /** Of pipelined requests whose connection breaks, only the first answer is told that it closed. */
  const ofConnection = (socket: Socket) => {
    const known = byConnection.get(socket)
    if (known !== undefined) return known
    const answers = new Set<ServerResponse>()
    byConnection.set(socket, answers)
    socket.once('close', () => {
      for (const answer of answers) if (taken.delete(answer)) answered()
      answers.clear()
    })
    return answers
  }
  /** Of those that were taken, the ones that came whole and are not answered: who sends slowly, or does not read, is no work. */
  let whole: number | undefined
  const underWay = () => {
    if (whole === undefined) {
      whole = 0
      for (const answer of taken) {
        if (isFollowed(answer)) taken.delete(answer)
        else if (answer.req.complete && !answer.writableEnded) whole += 1
      }
      // Counted once in a turn of the event loop, however many are turned away in it.
      setImmediate(() => {
        whole = undefined
      })
    }
    return whole
  }
  const isTooMuch = () =>
    taken.size >= MIN_IN_FLIGHT && isOver(taken.size) && underWay() >= MIN_IN_FLIGHT && isOver(underWay())
  return (request, response) => {
    // What came before the doors were open, and whose sender is gone, would never be told that it closed.
    const isUncounted = ALWAYS_ANSWERED.has(request.url) || request.socket.destroyed
    if (isUncounted || !isTooMuch()) {
      if (isUncounted) return handle(request, response)
      const answers = ofConnection(request.socket)
      answers.add(response)
      taken.add(response)
      response.once('close', () => {
        answers.delete(response)
        if (taken.delete(response)) answered()
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

/** Open for as long as its follower listens: nothing to do, so not under way. Told by the answer, for a path has many spellings. */
const isFollowed = (answer: ServerResponse): boolean =>
  answer.headersSent && answer.getHeader('content-type') === 'text/event-stream'

/** (RFC 9457) */
const problemBody = (requestId: string) =>
  JSON.stringify({
    ...{ type: 'about:blank', title: 'Service Unavailable', status: 503 },
    ...{ detail: 'too much to do; nothing was done', request_id: requestId },
  })
