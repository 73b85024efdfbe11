import { connect, type Socket } from 'node:net'

/** A request as bytes, made before the run. */
export type RawRequest = Buffer

export interface RunResult {
  readonly seconds: number
  /** Answers in the order of the requests: status line and body. */
  readonly answers: readonly { readonly status: number; readonly body: string }[]
}

export interface Target {
  readonly host: string
  readonly port: number
}

/**
 * Sends every request once over keep-alive connections, one request in flight on each, and returns every answer.
 *
 * Raw sockets: an HTTP client would cost the generator more CPU than the server under measurement spends.
 */
export async function closedLoop(
  target: Target,
  requests: readonly RawRequest[],
  inFlight: number,
): Promise<RunResult> {
  const answers: { status: number; body: string }[] = new Array(requests.length)
  let next = 0
  const start = process.hrtime.bigint()
  const worker = async () => {
    const connection = await openConnection(target)
    for (let index = next++; index < requests.length; index = next++) {
      answers[index] = await connection.exchange(requests[index] as Buffer)
    }
    connection.close()
  }
  await Promise.all(Array.from({ length: inFlight }, worker))
  return { seconds: Number(process.hrtime.bigint() - start) / 1e9, answers }
}

interface Connection {
  readonly exchange: (request: Buffer) => Promise<{ status: number; body: string }>
  readonly close: () => void
}

/** Reads answers that carry a Content-Length, which all of ours do. */
function openConnection({ host, port }: Target): Promise<Connection> {
  return new Promise((resolve, reject) => {
    let received = Buffer.alloc(0)
    let waiting:
      | { resolve: (answer: { status: number; body: string }) => void; reject: (error: Error) => void }
      | undefined
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
            waiting = { resolve: answered, reject: failed }
            socket.write(request)
          }),
        close: () => {
          waiting = { resolve: () => {}, reject: () => {} }
          socket.end()
        },
      }),
    )
  })
}

function readAnswer(bytes: Buffer): { status: number; body: string; bytes: number } | undefined {
  const end = bytes.indexOf('\r\n\r\n')
  if (end < 0) return undefined
  const head = bytes.toString('latin1', 0, end)
  const length = Number(/content-length: (\d+)/i.exec(head)?.[1])
  if (!Number.isInteger(length)) throw new Error(`an answer without Content-Length: ${head}`)
  const total = end + 4 + length
  if (bytes.length < total) return undefined
  return { status: Number(head.slice(9, 12)), body: bytes.toString('utf8', end + 4, total), bytes: total }
}
