import { createServer, type RequestListener, type Server } from 'node:http'
import { type AddressInfo, Server as TcpServer } from 'node:net'
import type { Duplex } from 'node:stream'
import { errorDescription } from '../wire/error-description.ts'
import { newRequestId } from './request-id.ts'

const KiB = 1024
const LOOPBACK = ['127.0.0.1', '::1'] as const
/** Another process may take the port between the two addresses; port 0 is then tried again. */
const ATTEMPTS = 10
const SWEEP_MILLISECONDS = 50
/**
 * Connections that may wait to be taken, where the system allows as many: of what does not fit the sender hears nothing, and tries
 * again after a second, then after two more.
 */
const BACKLOG = 4_096

export interface Listening {
  readonly port: number
  /**
   * Takes no more connections, lets requests in flight end, and gives up on them after `seconds`.
   *
   * `isSucceeded`: another process listens on this port, so nobody needs to notice. A connection that is idle is not closed while its
   * next request may be on its way: it is answered with `Connection: close`, or ends by the time-out that it was told.
   */
  readonly drain: (seconds: number, isSucceeded?: boolean) => Promise<void>
}

/**
 * Listens on a host, or on loopback: both 127.0.0.1 and ::1, so that `localhost` is found however it resolves.
 *
 * @throws the system's error when the port cannot be had.
 */
export async function listen(handle: RequestListener, host: string | undefined, port: number): Promise<Listening> {
  let isDraining = false
  const answer: RequestListener = (request, response) => {
    if (isDraining) response.setHeader('Connection', 'close')
    handle(request, response)
  }
  for (let attempt = 1; ; attempt++) {
    const servers: Server[] = []
    try {
      let chosen = port
      for (const address of host === undefined ? LOOPBACK : [host]) {
        const server = await listenOn(answer, address, chosen)
        if (server === undefined) continue
        servers.push(server)
        chosen = (server.address() as AddressInfo).port
      }
      return {
        port: chosen,
        drain: (seconds, isSucceeded = false) => {
          isDraining = true
          return drain(servers, seconds, isSucceeded)
        },
      }
    } catch (error) {
      await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
      if (port !== 0 || attempt === ATTEMPTS || (error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error
    }
  }
}

/** @returns undefined where the machine has no such address: IPv6 may be switched off. */
function listenOn(handle: RequestListener, host: string, port: number): Promise<Server | undefined> {
  const server = createServer(
    { maxHeaderSize: 32 * KiB, headersTimeout: 10_000, requestTimeout: 30_000, keepAliveTimeout: 15_000 },
    handle,
  )
  server.on('clientError', answerBrokenRequest)
  server.on('checkExpectation', (_request, response) => {
    response
      .writeHead(417, { ...jsonHeaders(), Connection: 'close' })
      .end(brokenBody('this "Expect" is not understood'))
  })
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const isAbsent = host === '::1' && (error.code === 'EADDRNOTAVAIL' || error.code === 'EAFNOSUPPORT')
      if (isAbsent) resolve(undefined)
      else reject(error)
    })
    server.listen({ port, host, backlog: BACKLOG }, () => resolve(server))
  })
}

/** What is no HTTP request has no path, and so no door: it is answered here, in the OAuth endpoints' form. */
function answerBrokenRequest(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (!socket.writable || error.code === 'ECONNRESET') {
    socket.destroy()
    return
  }
  const isTooLarge = error.code === 'HPE_HEADER_OVERFLOW'
  const status = isTooLarge ? '431 Request Header Fields Too Large' : '400 Bad Request'
  const body = brokenBody(isTooLarge ? 'the headers are too large' : 'this is not an HTTP request')
  const headers = { ...jsonHeaders(), Connection: 'close', 'Content-Length': Buffer.byteLength(body) }
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  socket.end(`HTTP/1.1 ${status}\r\n${lines.join('')}\r\n${body}`)
}

const jsonHeaders = () => ({
  'Content-Type': 'application/json; charset=utf-8',
  'Cache-Control': 'no-store',
  'X-Request-Id': newRequestId(),
})

const brokenBody = (description: string) =>
  JSON.stringify({ error: 'invalid_request', error_description: errorDescription(description) })

async function drain(servers: readonly Server[], seconds: number, isSucceeded: boolean): Promise<void> {
  // The `close` of an HTTP server closes idle connections; that of the TCP server below it takes no new ones, and waits.
  const close = (server: Server) =>
    new Promise((resolve) => (isSucceeded ? TcpServer.prototype.close.call(server, resolve) : server.close(resolve)))
  const closed = Promise.all(servers.map(close))
  // A connection that is kept alive becomes idle when its answer is out: look again until none is left.
  const sweep = setInterval(() => {
    if (!isSucceeded) for (const server of servers) server.closeIdleConnections()
  }, SWEEP_MILLISECONDS)
  const deadline = setTimeout(() => {
    for (const server of servers) server.closeAllConnections()
  }, seconds * 1_000)
  await closed
  clearInterval(sweep)
  clearTimeout(deadline)
}
