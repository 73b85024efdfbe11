import { setTimeout as sleep } from 'node:timers/promises'
import type { Sender } from '../process/server-process.ts'
import { exchangeRequest } from '../support/clients.ts'
import type { World } from '../support/world.ts'
import type { Pair } from './pair.ts'

/** One exchange of the load. Times as `performance.now()` tells them, in ms. */
export interface Attempt {
  readonly startedAt: number
  readonly member: 0 | 1
  /** 0 when no answer came. */
  readonly status: number
  readonly error: string | undefined
  readonly token: string | undefined
}

export interface Load {
  readonly attempts: readonly Attempt[]
  /** Waits until each process has answered `count` more exchanges. */
  readonly answered: (count: number) => Promise<void>
  readonly stop: () => Promise<void>
}

/** Exchanges without a pause on both processes until it is stopped. */
export function startLoad(pair: Pair, world: World, sender: Sender, workersEach = 4): Load {
  const attempts: Attempt[] = []
  let isStopped = false
  const work = async (member: 0 | 1) => {
    while (!isStopped) {
      const request = exchangeRequest(pair.issuer, world.agent, world.wish)
      const startedAt = performance.now()
      const { status, body } = await sender
        .send(pair.members[member].port, request)
        .catch((error: Error) => ({ status: 0, body: { error: error.message } }))
      attempts.push({ startedAt, member, status, error: body?.error, token: body?.access_token })
    }
  }
  const workers = Array.from({ length: workersEach * 2 }, (_, n) => work(n % 2 === 0 ? 0 : 1))
  const counts = () => [0, 1].map((member) => attempts.filter((attempt) => attempt.member === member).length)
  return {
    attempts,
    answered: async (count) => {
      const goal = counts().map((before) => before + count)
      const deadline = performance.now() + 20_000
      while (counts().some((now, member) => now < (goal[member] ?? 0))) {
        if (performance.now() > deadline) throw new Error(`no ${count} exchanges were answered in 20 s`)
        await sleep(5)
      }
    },
    stop: async () => {
      isStopped = true
      await Promise.all(workers)
    },
  }
}
