import { setTimeout as sleep } from 'node:timers/promises'
import { type Connection, openConnection, type RawAnswer } from './connection.ts'

export interface Outcome extends RawAnswer {
  /** When it was to be sent, since the loop began. Unit: ms. */
  readonly intendedMs: number
  /** From when it was to be sent to its answer: what waits in the generator counts as well. Unit: ms. */
  readonly latencyMs: number
}

export interface OpenLoop {
  readonly port: number
  readonly perSecond: number
  /** Makes the next request. */
  readonly next: () => Buffer
  readonly onOutcome: (outcome: Outcome) => void
  /** Whether all connections are there before the first request, as those of a balancer are. */
  readonly isConnected?: boolean
}

const MAX_CONNECTIONS = 1_000
const ANSWER_TIMEOUT_MS = 15_000
/** A server without work takes a connection with each turn of its event loop, so all of them in less. */
const CONNECT_MS = 1_000

/** Sends requests when their time has come, whether or not those before were answered (Poisson arrivals), until it is stopped. */
export async function startOpenLoop({
  port,
  perSecond,
  next,
  onOutcome,
  isConnected = false,
}: OpenLoop): Promise<{ readonly stop: () => Promise<void> }> {
  const idle: Connection[] = []
  const queue: number[] = []
  if (isConnected) {
    for (let i = 0; i < MAX_CONNECTIONS; i++) idle.push(openConnection('127.0.0.1', port))
    await sleep(CONNECT_MS)
  }
  let connections = idle.length
  let inFlight = 0
  let isStopped = false
  const start = performance.now()
  const sinceStart = () => performance.now() - start

  const send = async (intendedMs: number) => {
    let connection = idle.pop()
    while (connection !== undefined && !connection.isOpen()) {
      connections -= 1
      connection = idle.pop()
    }
    if (connection === undefined) {
      if (connections >= MAX_CONNECTIONS) {
        queue.push(intendedMs)
        return
      }
      connections += 1
      connection = openConnection('127.0.0.1', port)
    }
    inFlight += 1
    const answer = await connection.exchange(next(), ANSWER_TIMEOUT_MS)
    inFlight -= 1
    onOutcome({ ...answer, intendedMs, latencyMs: sinceStart() - intendedMs })
    if (connection.isOpen()) idle.push(connection)
    else connections -= 1
    const waiting = queue.shift()
    if (waiting !== undefined) void send(waiting)
  }
  const arrivals = async () => {
    let at = 0
    while (!isStopped) {
      while (at <= sinceStart() && !isStopped) {
        void send(at)
        at += (-Math.log(1 - Math.random()) / perSecond) * 1_000
      }
      await sleep(1)
    }
  }
  const running = arrivals()
  return {
    stop: async () => {
      isStopped = true
      queue.length = 0
      await running
      while (inFlight > 0) await sleep(5)
      for (const connection of idle) connection.close()
    },
  }
}

/** The value below which so many of the sorted numbers lie. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN
}
