import { openConnection, type RawAnswer, type RawRequest, type Target } from './connection.ts'

export interface RunResult {
  readonly seconds: number
  /** In the order of the requests. */
  readonly answers: readonly RawAnswer[]
}

/** Sends every request once over keep-alive connections, one in flight on each, and returns every answer. */
export async function closedLoop(
  target: Target,
  requests: readonly RawRequest[],
  inFlight: number,
): Promise<RunResult> {
  const answers: RawAnswer[] = new Array(requests.length)
  const connections = await Promise.all(Array.from({ length: inFlight }, () => openConnection(target)))
  let next = 0
  const start = performance.now()
  await Promise.all(
    connections.map(async ({ exchange }) => {
      for (let index = next++; index < requests.length; index = next++) {
        answers[index] = await exchange(requests[index] as RawRequest)
      }
    }),
  )
  const seconds = (performance.now() - start) / 1_000
  for (const { close } of connections) close()
  return { seconds, answers }
}
