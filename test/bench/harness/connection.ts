import { connect, type Socket } from 'node:net'

/** A request as bytes, made before the run. */
export type RawRequest = Buffer

export interface Target {
  readonly host: string
  readonly port: number
}

export interface RawAnswer {
  readonly status: number
  readonly body: string
}

/** A keep-alive connection with one request in flight at a time. */
export interface Connection {
  readonly exchange: (request: RawRequest) => Promise<RawAnswer>
  /** False: the server has closed it. */
  readonly isOpen: () => boolean
  readonly close: () => void
}

/**
 * Opens a raw socket: an HTTP client would cost the generator more CPU than the server under measurement spends.
 *
 * Reads answers that carry a Content-Length, which all of ours do.
 */
export function openConnection({ host, port }: Target): Promise<Connection> {
  return new Promise((resolve, reject) => {
    let received = Buffer.alloc(0)
    let waiting: { resolve: (answer: RawAnswer) => void; reject: (error: Error) => void } | undefined
    const socket: Socket = connect({ host, port, noDelay: true })
    const fail = (error: Error) => (waiting === undefined ? reject(error) : waiting.reject(error))
    socket.once('error', fail)
    socket.once('close', () => fail(new Error('the connection was closed')))
    socket.on('data', (chunk) => {
      received = received.length === 0 ? chunk : Buffer.concat([received, chunk])
      const answer = readAnswer(received)
      if (answer === undefined) return
      received = received.subarray(answer.bytes)
      waiting?.resolve(answer)
    })
    socket.once('connect', () =>
      resolve({
        exchange: (request) =>
          new Promise((answered, failed) => {
            // One that the server has closed while it was idle would never answer.
            if (socket.destroyed) return failed(new Error('the connection was closed'))
            waiting = { resolve: answered, reject: failed }
            socket.write(request)
            return undefined
          }),
        isOpen: () => !socket.destroyed && socket.writable,
        close: () => {
          waiting = { resolve: () => {}, reject: () => {} }
          socket.end()
        },
      }),
    )
  })
}

function readAnswer(bytes: Buffer): (RawAnswer & { readonly bytes: number }) | undefined {
  const end = bytes.indexOf('\r\n\r\n')
  if (end < 0) return undefined
  const head = bytes.toString('latin1', 0, end)
  const length = Number(/content-length: (\d+)/i.exec(head)?.[1])
  if (!Number.isInteger(length)) throw new Error(`an answer without Content-Length: ${head}`)
  const total = end + 4 + length
  if (bytes.length < total) return undefined
  return { status: Number(head.slice(9, 12)), body: bytes.toString('utf8', end + 4, total), bytes: total }
}
