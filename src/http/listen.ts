import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'

const KiB = 1024
const LOOPBACK = ['127.0.0.1', '::1'] as const
/** Another process may take the port between the two addresses; port 0 is then tried again. */
const ATTEMPTS = 10
const SWEEP_MILLISECONDS = 50

export interface Listening {
  readonly port: number
  /** Takes no more connections, lets requests in flight end, and gives up on them after `seconds`. */
  readonly drain: (seconds: number) => Promise<void>
}

/**
 * Listens on a host, or on loopback: both 127.0.0.1 and ::1, so that `localhost` is found however it resolves.
 *
 * @throws the system's error when the port cannot be had.
 */
export async function listen(handle: RequestListener, host: string | undefined, port: number): Promise<Listening> {
  for (let attempt = 1; ; attempt++) {
    const servers: Server[] = []
    try {
      let chosen = port
      for (const address of host === undefined ? LOOPBACK : [host]) {
        const server = await listenOn(handle, address, chosen)
        if (server === undefined) continue
        servers.push(server)
        chosen = (server.address() as AddressInfo).port
      }
      return { port: chosen, drain: (seconds) => drain(servers, seconds) }
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
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const isAbsent = host === '::1' && (error.code === 'EADDRNOTAVAIL' || error.code === 'EAFNOSUPPORT')
      if (isAbsent) resolve(undefined)
      else reject(error)
    })
    server.listen(port, host, () => resolve(server))
  })
}

async function drain(servers: readonly Server[], seconds: number): Promise<void> {
  const closed = Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
  // A connection that is kept alive becomes idle when its answer is out: look again until none is left.
  const sweep = setInterval(() => {
    for (const server of servers) server.closeIdleConnections()
  }, SWEEP_MILLISECONDS)
  const deadline = setTimeout(() => {
    for (const server of servers) server.closeAllConnections()
  }, seconds * 1_000)
  await closed
  clearInterval(sweep)
  clearTimeout(deadline)
}
