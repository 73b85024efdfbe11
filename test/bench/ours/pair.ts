import { createWorld, type World } from '../../support/world.ts'
import { closedLoop } from '../harness/closed-loop.ts'
import type { RawRequest } from '../harness/connection.ts'
import { type Minter, mintRequests } from './minting.ts'
import { type OurServer, startOurServer } from './start-server.ts'

/** Two processes on one database, under one issuer and with one set of keys. */
export interface Pair {
  readonly servers: readonly [OurServer, OurServer]
  readonly world: World
  readonly minter: Minter
  readonly stop: () => Promise<void>
}

export async function startPair(): Promise<Pair> {
  const first = await startOurServer({ isPinnable: false })
  const stops = [first.stop]
  const stop = async () => {
    for (const one of stops.reverse()) await one()
  }
  try {
    const second = await startOurServer({ beside: first, isPinnable: false })
    stops.push(second.stop)
    const world = await createWorld(first)
    return {
      servers: [first, second],
      world,
      minter: { agent: world.agent, subjectToken: world.wish.subjectToken },
      stop,
    }
  } catch (error) {
    await stop()
    throw error
  }
}

const BATCH = 4_000
const REPLAY_EVERY = 100
const IN_FLIGHT = 32

export interface DoubleAccepts {
  readonly sent: number
  readonly replayed: number
  /** Requests of which both processes issued a token. */
  readonly double: number
}

/**
 * Sends so many exchanges to two processes; one in a hundred of them to both at the same time. Exactly one must accept it.
 *
 * @throws when any other exchange fails, or a replayed one is accepted by neither.
 */
export async function countDoubleAccepts(
  { servers, world, minter }: Pair,
  count: number,
  progress: (line: string) => void,
): Promise<DoubleAccepts> {
  let [sent, replayed, double] = [0, 0, 0]
  while (sent < count) {
    const size = Math.min(BATCH, count - sent)
    const requests = mintRequests(world, size, minter)
    const shared = requests.filter((_, i) => i % REPLAY_EVERY === 0)
    const own = requests.filter((_, i) => i % REPLAY_EVERY !== 0)
    // The shared ones stand at the same places of both lists, so that they arrive together.
    const lists = [0, 1].map((half) =>
      woven(
        own.filter((_, i) => i % 2 === half),
        shared,
      ),
    )
    const answers = await Promise.all(servers.map(({ target }, i) => closedLoop(target, lists[i] ?? [], IN_FLIGHT)))
    const accepted = new Map<RawRequest, number>(requests.map((request) => [request, 0]))
    for (const [i, { answers: list }] of answers.entries()) {
      for (const [n, { status }] of list.entries()) {
        const request = lists[i]?.[n] as RawRequest
        if (status === 200) accepted.set(request, (accepted.get(request) ?? 0) + 1)
      }
    }
    const refused = requests.filter((request) => accepted.get(request) === 0)
    if (refused.length > 0) throw new Error(`${refused.length} exchanges were accepted by nobody`)
    double += shared.filter((request) => accepted.get(request) !== 1).length
    replayed += shared.length
    sent += size
    progress(`${sent} of ${count} sent, ${replayed} of them twice, ${double} accepted twice`)
  }
  return { sent, replayed, double }
}

/** The shared ones spread evenly among the own ones. */
function woven(own: readonly RawRequest[], shared: readonly RawRequest[]): readonly RawRequest[] {
  const every = Math.ceil(own.length / Math.max(1, shared.length))
  return shared.flatMap((request, i) => [request, ...own.slice(i * every, (i + 1) * every)])
}
