import type { Exchange } from '../../support/clients.ts'
import { type Bench, CannotRun, type Figure } from '../harness/bench.ts'
import { startWorker } from '../harness/measured-process.ts'
import { measure, mintRequest } from '../ours/minting.ts'
import { seedRows } from '../ours/seed.ts'
import { openServerKeys } from '../ours/server-keys.ts'
import { startOurServer } from '../ours/start-server.ts'

const AGENTS = 1_000_000
/** More than any of the server's memories holds. */
const AT_WORK = 25_000
const BATCH = 5_000
const MARKS = 1_000_000
const MB = 1_000_000
const ACTION = { type: 'email_send', to: ['bob@example.com'], subject: 'Minutes', body: 'Hello' }

/** What stays in memory: of the server when a million agents are there and many of them came, and of the SDK's replay store. */
export const MEM: Bench = {
  name: 'mem',
  what: 'memory of the server at 1e6 agents over idle, and of the replay store of the resource SDK for each mark',
  run: async ({ size, progress }) => ({
    figures: [await memoryOfServer(size.count, progress), await memoryOfReplayStore(size.count)],
  }),
}

async function memoryOfServer(count: (full: number) => number, progress: (line: string) => void): Promise<Figure> {
  const server = await startOurServer()
  try {
    const { issuer, database, process, target } = server
    if (database === undefined) throw new CannotRun('mem needs PostgreSQL')
    const idle = process.residentBytes()
    const seeded = await seedRows(database, { agents: count(AGENTS), keys: count(AT_WORK) }, progress)
    const keys = await openServerKeys(server)
    const wish: Exchange = { subjectToken: '', resource: seeded.resource.identifier, action: ACTION }
    for (let from = 0; from < seeded.agents.length; from += BATCH) {
      const requests = seeded.agents.slice(from, from + BATCH).map(({ client, principalId, delegationId }) => {
        const subjectToken = keys.subjectToken({ id: delegationId, principalId, agentId: client.id })
        return mintRequest({ issuer, wish }, { agent: client, subjectToken })
      })
      await measure(process, target, requests)
      progress(`${from + requests.length} agents came: ${(process.residentBytes() / MB).toFixed(0)} MB`)
    }
    const value = (process.residentBytes() - idle) / MB
    const detail = `${(idle / MB).toFixed(0)} MB when idle; ${seeded.agents.length} of ${count(AGENTS)} agents came`
    return { name: 'mem server, over idle', value, unit: 'MB', goal: { atMost: 250 }, detail }
  } finally {
    await server.stop()
  }
}

async function memoryOfReplayStore(count: (full: number) => number): Promise<Figure> {
  const worker = await startWorker('workers/replay-store-worker.js', {})
  try {
    const value = await worker.ask<number>('marks', count(MARKS))
    return { name: 'mem replay store, a mark', value, unit: 'B', goal: { atMost: 64 }, stretch: { atMost: 24 } }
  } finally {
    await worker.stop()
  }
}
