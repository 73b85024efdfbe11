import { connect, type Socket } from 'node:net'

export interface RawAnswer {
  /** 0: no answer came. */
  readonly status: number
  readonly head: string
  readonly body: string
}

/** A keep-alive connection with one request in flight. */
export interface Connection {
  /** Never rejects: what went wrong is an answer of status 0. */
  readonly exchange: (request: Buffer, timeoutMs: number) => Promise<RawAnswer>
  readonly isOpen: () => boolean
  readonly close: () => void
}

/** Opens a connection; one that cannot be had answers with status 0. */
export function openConnection(host: string, port: number): Connection {
  let received = Buffer.alloc(0)
  let answered: ((answer: RawAnswer) => void) | undefined
  let isOpen = true
  const socket: Socket = connect({ host, port, noDelay: true })
  const settle = (answer: RawAnswer) => {
    const settled = answered
    answered = undefined
    settled?.(answer)
  }
  const fail = (why: string) => {
    isOpen = false
    socket.destroy()
    settle({ status: 0, head: '', body: why })
  }
  socket.on('error', ({ message }) => fail(message))
  socket.on('close', () => fail('the connection was closed'))
  socket.on('data', (chunk) => {
    received = received.length === 0 ? chunk : Buffer.concat([received, chunk])
    const answer = readAnswer(received)
    if (answer === undefined) return
    received = received.subarray(answer.bytes)
    if (/\r\nconnection: close/i.test(answer.head)) {
      isOpen = false
      socket.end()
    }
    settle(answer)
  })
  return {
    exchange: (request, timeoutMs) =>
      new Promise((resolve) => {
        if (!isOpen) return resolve({ status: 0, head: '', body: 'the connection was closed' })
        const timer = setTimeout(() => fail('no answer in time'), timeoutMs)
        answered = (answer) => {
          clearTimeout(timer)
          resolve(answer)
        }
        socket.write(request)
        return undefined
      }),
    isOpen: () => isOpen,
    close: () => {
      isOpen = false
      socket.destroy()
    },
  }
}

/** Answers that carry a Content-Length, which all of ours do. */
function readAnswer(bytes: Buffer): (RawAnswer & { readonly bytes: number }) | undefined {
  const end = bytes.indexOf('\r\n\r\n')
  if (end < 0) return undefined
  const head = bytes.toString('latin1', 0, end)
  const total = end + 4 + Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0)
  if (bytes.length < total) return undefined
  return { status: Number(head.slice(9, 12)), head, body: bytes.toString('utf8', end + 4, total), bytes: total }
}
