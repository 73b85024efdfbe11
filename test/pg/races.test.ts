import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { endAll, keepAliveSender, type Sender } from '../process/server-process.ts'
import { type Answer, assertion, clientToken, exchangeRequest } from '../support/clients.ts'
import { claimsOf, createWorld, type World } from '../support/world.ts'
import { type Pair, startPair, toPort } from './pair.ts'

const COPIES = 200
const HONEST = 300

let pair: Pair
let world: World
let sender: Sender
beforeAll(async () => {
  // An empty database: both find nothing, and what is made once is made in a race.
  pair = await startPair({}, (client) => client.query('DROP SCHEMA public CASCADE; CREATE SCHEMA public'))
  world = await createWorld(pair)
  sender = keepAliveSender(100)
})
afterAll(async () => {
  sender?.close()
  await pair?.close()
  await endAll()
})

const spread = (count: number, build: (n: number) => ReturnType<typeof exchangeRequest>): Promise<Answer[]> => {
  const requests = Array.from({ length: count }, (_, n) => build(n))
  return Promise.all(requests.map((request, n) => sender.send(pair.members[n % 2 === 0 ? 0 : 1].port, request)))
}
const issued = (answers: readonly Answer[]) => answers.filter(({ status }) => status === 200)
const refusals = (answers: readonly Answer[]) =>
  new Set(answers.filter(({ status }) => status !== 200).map(({ status, body }) => `${status} ${body.error}`))
const recordsOf = async (answers: readonly Answer[]) => {
  const jtis = answers.map(({ body }) => claimsOf(body.access_token).jti as string)
  const { rows } = await pair.client.query(`SELECT jti FROM record WHERE jti = ANY($1) AND decision = 'issued'`, [jtis])
  return { distinct: new Set(jtis).size, recorded: rows.length }
}
const request = (deviation: Parameters<typeof exchangeRequest>[3] = {}) =>
  exchangeRequest(pair.issuer, world.agent, world.wish, deviation)

test('two processes that start together on an empty database make one administrator and one signing key', async () => {
  const { rows } = await pair.client.query(
    `SELECT (SELECT count(*) FROM administrator)::int AS administrators, (SELECT count(*) FROM signing_key)::int AS keys,
       (SELECT count(*) FROM server_secret WHERE name = 'cookie')::int AS secrets`,
  )
  expect(rows).toEqual([{ administrators: 1, keys: 1, secrets: 1 }])
  const told = pair.members.filter(({ process }) => process.stderr().includes('credential is in'))
  expect(told).toHaveLength(1)
  expect((await clientToken(pair.issuer, pair.admin)).status).toBe(200)
})

test(`${COPIES} copies of one request, spread over two processes -> exactly one token`, async () => {
  const one = request()
  const answers = await spread(COPIES, () => one)
  expect(issued(answers)).toHaveLength(1)
  expect(refusals(answers)).toEqual(new Set(['401 invalid_client']))
  expect(await recordsOf(issued(answers))).toEqual({ distinct: 1, recorded: 1 })
})

test(`${COPIES} requests with one assertion and different proofs -> exactly one token`, async () => {
  const client_assertion = assertion(world.agent, pair.issuer)
  const answers = await spread(COPIES, () => request({ form: { client_assertion } }))
  expect(issued(answers)).toHaveLength(1)
  expect(refusals(answers)).toEqual(new Set(['401 invalid_client']))
})

test(`${COPIES} requests with one proof and different assertions -> exactly one token`, async () => {
  const jti = randomUUID()
  const answers = await spread(COPIES, () => request({ proofClaims: { jti } }))
  expect(issued(answers)).toHaveLength(1)
  expect(refusals(answers)).toEqual(new Set(['400 invalid_dpop_proof']))
})

test(`${COPIES} copies of one request for an administrator's token -> exactly one token`, async () => {
  const client_assertion = assertion(pair.admin, pair.issuer)
  const { url, headers, body } = exchangeRequest(pair.issuer, pair.admin, world.wish, {
    form: {
      client_assertion,
      grant_type: 'client_credentials',
      subject_token: undefined,
      subject_token_type: undefined,
      resource: undefined,
      authorization_details: undefined,
    },
  })
  const answers = await spread(COPIES, () => ({ url, headers, body }))
  expect(issued(answers)).toHaveLength(1)
  expect(refusals(answers)).toEqual(new Set(['401 invalid_client']))
})

test(`${HONEST} honest requests at once -> ${HONEST} tokens, no two alike, each on record`, async () => {
  const answers = await spread(HONEST, () => request())
  expect(refusals(answers)).toEqual(new Set())
  expect(await recordsOf(answers)).toEqual({ distinct: HONEST, recorded: HONEST })
})

test('an honest request beside its own copies is not harmed by them', async () => {
  const answers = await spread(HONEST, (n) => request(n % 3 === 0 ? { proofClaims: { jti: `copied-${n}` } } : {}))
  expect(issued(answers)).toHaveLength(HONEST)
  const again = await spread(HONEST, (n) => request(n % 3 === 0 ? { proofClaims: { jti: `copied-${n}` } } : {}))
  expect(issued(again)).toHaveLength(HONEST - HONEST / 3)
  expect(refusals(again)).toEqual(new Set(['400 invalid_dpop_proof']))
})

test('a request that one process refused as a replay is refused by the other as well', async () => {
  const one = request()
  expect((await sender.send(pair.members[0].port, one)).status).toBe(200)
  for (const { port } of pair.members) expect((await sender.send(port, toPort(one, port))).status).toBe(401)
})
