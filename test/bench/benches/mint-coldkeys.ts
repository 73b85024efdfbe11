import { createWorld } from '../../support/world.ts'
import { type Bench, CannotRun, type Figure } from '../harness/bench.ts'
import { costFigure, interleave, maxTurns } from '../harness/interleave.ts'
import { measure, mintRequest, mintRequests, startMinting } from '../ours/minting.ts'
import { seedRows } from '../ours/seed.ts'
import { openServerKeys } from '../ours/server-keys.ts'

const REQUESTS = 300
const WARM_UP = 1_500
const GOALS = { ES256: 1.6, Ed25519: 1.15 } as const

/**
 * What an agent costs that was never seen before: its key is imported, its rows are read, its subject token is verified.
 */
export const MINT_COLDKEYS: Bench = {
  name: 'mint.coldkeys',
  what: 'exchanges of agents that were never seen before (private_key_jwt), against those of one that was',
  run: async ({ size, progress }) => {
    const ours = await startMinting()
    try {
      const { issuer, database, process, target } = ours
      if (database === undefined) throw new CannotRun('mint.coldkeys needs PostgreSQL')
      const count = size.count(REQUESTS)
      const needed = count * maxTurns(size)
      const keys = await openServerKeys(ours)
      const figures: Figure[] = []
      for (const alg of ['ES256', 'Ed25519'] as const) {
        const seeded = await seedRows(database, { agents: needed, keys: needed, alg }, progress)
        const world = await createWorld(ours, { alg })
        const warm = { agent: world.agent, subjectToken: world.delegation.subjectToken }
        const wish = { ...world.wish, resource: seeded.resource.identifier }
        const fresh = [...seeded.agents]
        // The code is warm, the agents are not.
        await measure(process, target, mintRequests(world, size.count(WARM_UP), warm))
        const comparison = await interleave(
          size,
          () => measure(process, target, mintRequests(world, count, warm)),
          {
            cold: () => {
              const requests = fresh.splice(0, count).map(({ client, principalId, delegationId }) => {
                const subjectToken = keys.subjectToken({ id: delegationId, principalId, agentId: client.id })
                return mintRequest({ issuer, wish }, { agent: client, subjectToken })
              })
              return measure(process, target, requests)
            },
          },
          progress,
        )
        figures.push(costFigure(`mint.coldkeys ${alg}`, comparison, 'cold', { goal: GOALS[alg] }))
      }
      return { figures }
    } finally {
      await ours.stop()
    }
  },
}
