import { oauthRequest } from '../../support/clients.ts'
import type { World } from '../../support/world.ts'
import { type Bench, type BenchContext, CannotRun, type Figure, type Series } from '../harness/bench.ts'
import { costFigure, interleave, type Sample, type Turn } from '../harness/interleave.ts'
import { databaseCpu } from '../ours/database-cpu.ts'
import { type Minter, measure, mintRequest, rawRequest } from '../ours/minting.ts'
import { seedRows } from '../ours/seed.ts'
import { openServerKeys } from '../ours/server-keys.ts'
import { startOurServer } from '../ours/start-server.ts'

const REQUESTS = 2_000
/** Agents that are at work, evenly spread over all that there are. */
const AT_WORK = 100
const RECORDS_AN_AGENT = 10
const GOALS = { goal: 1.15, stretch: 1.05 }
const ACTION = { type: 'email_send', to: ['bob@example.com'], subject: 'Minutes', body: 'Hello' }

/** A server on so many rows, and what it is asked; the cost is its own and that of its database. */
interface Sized {
  readonly rows: number
  readonly mint: Turn
  readonly introspect: Turn
  readonly stop: () => Promise<void>
}

/** Whether what one exchange costs depends on how many agents, delegations and records there are. */
export const SCALE_ROWS: Bench = {
  name: 'scale.rows',
  what: 'exchange and introspection, with their share of PostgreSQL, at 1e2, 1e4 and 1e6 agents and delegations',
  run: async (context) => {
    const { size, progress } = context
    const sized: Sized[] = []
    try {
      for (const rows of size.rows) {
        const isLargest = rows === size.rows.at(-1)
        sized.push(await startSized(context, rows, isLargest ? size.records : rows * RECORDS_AN_AGENT))
      }
      const [smallest, ...larger] = sized
      if (smallest === undefined) throw new CannotRun('scale.rows needs sizes')
      const figures: Figure[] = []
      const lines: Series['lines'][number][] = []
      for (const kind of ['mint', 'introspect'] as const) {
        const turns = Object.fromEntries(larger.map((one) => [String(one.rows), one[kind]]))
        const comparison = await interleave(size, smallest[kind], turns, progress)
        figures.push(
          ...larger.map(({ rows }) => costFigure(`scale.rows ${kind} at ${rows}`, comparison, String(rows), GOALS)),
        )
        const costs = larger.map(({ rows }) => [rows, comparison.sides[String(rows)]?.cpuMicroseconds ?? 0] as const)
        lines.push({ name: kind, points: [[smallest.rows, comparison.reference.cpuMicroseconds], ...costs] })
      }
      const series = { name: 'cost-against-rows', x: 'agents and delegations', y: 'CPU a request (µs)', lines }
      return { figures, series: [series] }
    } finally {
      for (const { stop } of sized.reverse()) await stop()
    }
  },
}

async function startSized({ size, progress }: BenchContext, rows: number, records: number): Promise<Sized> {
  const server = await startOurServer()
  try {
    const { issuer, database, process, target } = server
    if (database === undefined) throw new CannotRun('scale.rows needs PostgreSQL')
    const seeded = await seedRows(database, { agents: rows, records, keys: Math.min(AT_WORK, rows) }, progress)
    const keys = await openServerKeys(server)
    const minters = seeded.agents.map(
      ({ client, principalId, delegationId }): Minter => ({
        agent: client,
        subjectToken: keys.subjectToken({ id: delegationId, principalId, agentId: client.id }),
      }),
    )
    const wish: World['wish'] = { subjectToken: '', resource: seeded.resource.identifier, action: ACTION }
    const count = size.count(REQUESTS)
    const cpu = databaseCpu(database)
    const withDatabase = async (turn: () => Promise<Sample>): Promise<Sample> => {
      const before = await cpu.start()
      const sample = await turn()
      return { ...sample, cpuMicroseconds: sample.cpuMicroseconds + (await cpu.since(before)) / count }
    }
    const minted = () => {
      const requests = Array.from({ length: count }, (_, i) =>
        mintRequest({ issuer, wish }, minters[i % minters.length] as Minter),
      )
      return measure(process, target, requests)
    }
    return {
      rows,
      stop: server.stop,
      mint: () => withDatabase(minted),
      introspect: async () => {
        const { bodies } = await minted()
        const requests = bodies.map((body) =>
          rawRequest(
            oauthRequest(issuer, '/introspect', seeded.resource, { token: JSON.parse(body).access_token }, {}, false),
          ),
        )
        return withDatabase(async () => {
          const measured = await measure(process, target, requests)
          if (measured.bodies.some((body) => JSON.parse(body).active !== true))
            throw new Error('a token was not active')
          return measured
        })
      },
    }
  } catch (error) {
    await server.stop()
    throw error
  }
}
