import { setTimeout as sleep } from 'node:timers/promises'
import { ACCESS_TOKEN_TYPE, clientToken, newClient, oauthRequest, send, TOKEN_EXCHANGE } from '../support/clients.ts'
import type { World } from '../support/world.ts'
import { median } from './harness/statistics.ts'
import type { BenchDatabase } from './ours/bench-database.ts'
import { type Minter, type Minting, startMinting } from './ours/minting.ts'

const ROUNDS = 9
const REQUESTS = 2_000
const WARM_UP = 1_000
const IN_FLIGHT = 64
/** So high that none is reached: what is measured is the counting. */
const LIMITS = { max_uses: 1_000_000_000, rates: [{ seconds: 3_600, max_uses: 1_000_000_000 }] }
const BOUNDS = [{ type: 'email_send', to: { $any: true }, subject: { $any: true }, body: { $any: true } }]

/**
 * What limits and chains cost: the same exchange without any, under two limits, and at the end of a chain of three whose
 * every delegation has two; interleaved. And how many exchanges share a round trip to the database.
 */
export async function benchControl(progress: (line: string) => void): Promise<void> {
  const minting = await startMinting()
  try {
    const minters = await makeMinters(minting.world)
    for (const { minter } of minters) await minting.mint(WARM_UP, { minter })
    const costs = minters.map(() => [] as number[])
    for (let round = 1; round <= ROUNDS; round++) {
      const line: string[] = []
      for (const [n, { name, minter }] of minters.entries()) {
        const { cpuMicroseconds } = await minting.mint(REQUESTS, { minter })
        costs[n]?.push(cpuMicroseconds)
        line.push(`${name} ${cpuMicroseconds.toFixed(0)} µs`)
      }
      progress(`round ${round} of ${ROUNDS}: ${line.join(', ')}`)
    }
    const shared: Awaited<ReturnType<typeof exchangesPerCommit>>[] = []
    for (const { minter } of minters) shared.push(await exchangesPerCommit(minting, minter))
    console.table(
      minters.map(({ name }, n) => {
        const own = costs[n] ?? []
        const ratios = own.map((cost, round) => cost / (costs[0]?.[round] ?? cost))
        return {
          exchange: name,
          'CPU of the server, ÷ none': median(ratios).toFixed(3),
          spread: `${Math.min(...ratios).toFixed(3)}–${Math.max(...ratios).toFixed(3)}`,
          [`exchanges per commit at ${IN_FLIGHT} in flight`]: shared[n]?.perCommit.toFixed(1),
          'per second then': shared[n]?.perSecond.toFixed(0),
        }
      }),
    )
  } finally {
    await minting.stop()
  }
}

/** Exchanges for each transaction that the database committed meanwhile. */
async function exchangesPerCommit({ database, mint }: Minting, minter: Minter) {
  const commits = async () => {
    // What a connection has done shows in the view within a second.
    await sleep(1_500)
    const [row = {}] = await (database as BenchDatabase).query(
      'SELECT xact_commit::int8 AS n FROM pg_stat_database WHERE datname = current_database()',
    )
    return Number(row.n)
  }
  const before = await commits()
  const { requestsPerSecond } = await mint(REQUESTS, { minter, inFlight: IN_FLIGHT })
  return { perCommit: REQUESTS / ((await commits()) - before), perSecond: requestsPerSecond }
}

async function makeMinters(world: World): Promise<readonly { readonly name: string; readonly minter: Minter }[]> {
  const create = async (path: string, body: object) => {
    const answer = await world.api.call('POST', path, body)
    if (answer.status !== 201) throw new Error(answer.text)
    return answer.body
  }
  const root = await create('/admin/delegations', {
    ...{ principal: world.principal, agent: world.agent.id, resource: world.identifier },
    ...{ authorization_details: BOUNDS, limits: LIMITS, delegable: { max_depth: 2 } },
  })
  const giveOn = async (from: Minter, depth: number): Promise<Minter> => {
    const agent = newClient(`${world.agent.id}-${depth}`)
    await create('/admin/agents', { id: agent.id, name: 'Next', keys: [{ jwk: agent.key.jwk }] })
    const actor = await clientToken(world.issuer, agent)
    const { url, ...request } = oauthRequest(world.issuer, '/token', from.agent, {
      ...{ grant_type: TOKEN_EXCHANGE, subject_token: from.subjectToken, subject_token_type: ACCESS_TOKEN_TYPE },
      ...{ actor_token: actor.body.access_token, actor_token_type: ACCESS_TOKEN_TYPE, resource: world.issuer },
      ...{ authorization_details: JSON.stringify(BOUNDS), limits: JSON.stringify(LIMITS) },
      delegable: JSON.stringify({ max_depth: depth }),
    })
    const answer = await send(url, request)
    if (answer.status !== 200) throw new Error(answer.text)
    return { agent, subjectToken: answer.body.access_token }
  }
  const limited = { agent: world.agent, subjectToken: root.subject_token as string }
  const grandchild = await giveOn(await giveOn(limited, 1), 0)
  return [
    { name: 'none', minter: { agent: world.agent, subjectToken: world.delegation.subjectToken } },
    { name: 'two limits', minter: limited },
    { name: 'a chain of three, two limits each', minter: grandchild },
  ]
}
