import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

/** A way to a server that can be cut, blocked and opened again. */
export interface TcpProxy {
  readonly port: number
  /** Where connections go. */
  target: number
  /** Ends every connection and takes no more. */
  cut: () => void
  /** Lets nothing through any more, and ends nothing: what is half open stays so. */
  stall: () => void
  /** Lets everything through so much later, in each direction. Unit: ms. */
  slow: (milliseconds: number) => void
  /** As it was in the beginning; connections that were stalled are ended. */
  mend: () => void
  readonly close: () => Promise<void>
}

export async function startProxy(target = 0): Promise<TcpProxy> {
  let state: 'open' | 'cut' | 'stalled' = 'open'
  let lateMs = 0
  const sockets = new Set<Socket>()
  const drop = () => {
    for (const socket of sockets) socket.destroy()
  }
  const server = createServer((incoming) => {
    if (state === 'cut') return incoming.destroy()
    const outgoing = connect(proxy.target, '127.0.0.1')
    for (const [from, to] of [
      [incoming, outgoing],
      [outgoing, incoming],
    ] as const) {
      sockets.add(from)
      from.on('data', (chunk) => {
        if (state !== 'open') return
        // Timers of one length run in the order in which they were set.
        if (lateMs > 0) setTimeout(() => to.writable && to.write(chunk), lateMs)
        else to.write(chunk)
      })
      from.on('error', () => to.destroy())
      from.on('close', () => {
        sockets.delete(from)
        if (state !== 'stalled') to.destroy()
      })
    }
    return undefined
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const proxy: TcpProxy = {
    port: (server.address() as AddressInfo).port,
    target,
    cut: () => {
      state = 'cut'
      drop()
    },
    stall: () => {
      state = 'stalled'
    },
    slow: (milliseconds) => {
      lateMs = milliseconds
    },
    mend: () => {
      lateMs = 0
      drop()
      state = 'open'
    },
    close: () => {
      drop()
      return new Promise((resolve) => server.close(() => resolve()))
    },
  }
  return proxy
}
