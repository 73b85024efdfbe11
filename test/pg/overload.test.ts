import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { endAll, keepAliveSender, type Sender } from '../process/server-process.ts'
import { exchangeRequest } from '../support/clients.ts'
import { claimsOf, createWorld, type World } from '../support/world.ts'
import { type Pair, startPair } from './pair.ts'

/** More than the flush under way and the next one take together. */
const LANES = 300

let pair: Pair
let world: World
let sender: Sender
beforeAll(async () => {
  pair = await startPair({ WRIT_SHED_OVERLOAD: 'true' })
  world = await createWorld(pair)
  sender = keepAliveSender(2 * LANES)
})
afterAll(async () => {
  sender?.close()
  await pair?.close()
  await endAll()
})

test('a database that falls behind: exchanges are turned away at the door at once, and served again when it has caught up', async () => {
  const exchange = async () => {
    const { status, headers, body } = await sender.send(
      pair.members[0].port,
      exchangeRequest(pair.issuer, world.agent, world.wish),
    )
    return { status, headers, body }
  }
  const isShed = ({ body }: { body: { error_description?: string } }) =>
    body.error_description === 'too much to do, nothing was issued'

  const blocker = new pg.Client({ connectionString: pair.folder.settings.DATABASE_URL })
  await blocker.connect()
  await blocker.query('BEGIN; LOCK TABLE record IN ACCESS EXCLUSIVE MODE')
  const answers: Awaited<ReturnType<typeof exchange>>[] = []
  let isStopped = false
  const lanes = Array.from({ length: LANES }, async () => {
    while (!isStopped) {
      const answer = await exchange()
      answers.push(answer)
      if (answer.status !== 200) await sleep(50)
    }
  })
  // Lanes wait for their answers; those who come while all of them wait are turned away, however fast the machine.
  const late: Promise<unknown>[] = []
  const comesLate = () => {
    late.push(exchange().then((answer) => answers.push(answer)))
    return answers.some(isShed)
  }
  await expect.poll(comesLate, { timeout: 30_000 }).toBe(true)
  await blocker.query('ROLLBACK')
  await blocker.end()
  isStopped = true
  await Promise.all([...lanes, ...late])

  for (const { status, headers, body } of answers.filter(({ status }) => status !== 200)) {
    expect([status, body.error]).toEqual([503, 'temporarily_unavailable'])
    expect(headers['retry-after']).toBe('1')
  }
  // What was admitted is in the account.
  const jtis = answers.flatMap(({ status, body }) => (status === 200 ? [claimsOf(body.access_token).jti] : []))
  const { rows } = await pair.client.query('SELECT count(*)::int AS n FROM record WHERE jti = ANY($1)', [jtis])
  expect(rows).toEqual([{ n: jtis.length }])
  await expect.poll(async () => (await exchange()).status, { timeout: 10_000 }).toBe(200)
})
