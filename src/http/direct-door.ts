import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import type { Door } from './door.ts'
import { acceptedRequestId } from './request-id.ts'
import { SECURITY_HEADERS } from './security-headers.ts'

/**
 * Serves one door without Koa: the doors that every call of every agent goes through cost a tenth less so.
 *
 * Answers as Koa would, with the same headers; what the door throws is answered by `answerFault`.
 */
export function directDoor(
  serve: (door: Door) => Promise<void>,
  answerFault: (door: Door, error: unknown) => void,
): RequestListener {
  return (request, response) => {
    const door = new DirectDoor(request, response)
    // Whoever went away while he waited is told nothing; a write to a closed connection is no fault.
    response.on('error', ignore)
    serve(door)
      .catch((error: unknown) => {
        answerFault(door, error)
      })
      .then(() => door.answer())
      .catch(() => response.destroy())
  }
}

const ignore = () => {}

class DirectDoor implements Door {
  readonly req: IncomingMessage
  readonly res: ServerResponse
  readonly state: { readonly requestId: string }
  status = 200
  body: unknown = undefined
  type = 'application/json; charset=utf-8'
  respond = true

  constructor(req: IncomingMessage, res: ServerResponse) {
    this.req = req
    this.res = res
    const requestId = acceptedRequestId(req)
    this.state = { requestId }
    res.setHeader('X-Request-Id', requestId)
    for (const [name, value] of SECURITY_HEADERS) res.setHeader(name, value)
  }

  set(name: string, value: string): void {
    this.res.setHeader(name, value)
  }

  answer(): void {
    const { req, res, body } = this
    if (!this.respond || res.headersSent || res.destroyed) return
    if (body === undefined) throw new Error('a door gave no answer')
    const text = typeof body === 'string' ? body : JSON.stringify(body)
    // What is left of a body that was not read whole belongs to no request: the connection ends with the answer.
    if (!req.complete) res.setHeader('Connection', 'close')
    res.statusCode = this.status
    res.setHeader('Content-Type', this.type)
    res.setHeader('Content-Length', Buffer.byteLength(text))
    res.end(text)
  }
}
