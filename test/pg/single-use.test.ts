import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { endAll, freePort, keepAliveSender, type Sender, startProcess } from '../process/server-process.ts'
import { type Answer, exchangeRequest, newClient, oauthRequest } from '../support/clients.ts'
import { claimsOf, createWorld, type World } from '../support/world.ts'
import { jwt } from '../wire/signing.ts'
import { type Pair, startPair } from './pair.ts'

const CALLS = 1_000
const KILLS = 12

let pair: Pair
let world: World
let sender: Sender
beforeAll(async () => {
  pair = await startPair()
  world = await createWorld(pair)
  sender = keepAliveSender(100)
})
afterAll(async () => {
  sender?.close()
  await pair?.close()
  await endAll()
})

const newToken = async (): Promise<string> => {
  const { body } = await sender.send(pair.members[0].port, exchangeRequest(pair.issuer, world.agent, world.wish))
  return body.access_token
}
const consumeRequest = (token: string, id?: string) =>
  oauthRequest(pair.issuer, '/introspect', world.resource, { token, consume: 'true', consume_id: id }, {}, false)
const ask = (token: string) => oauthRequest(pair.issuer, '/introspect', world.resource, { token }, {}, false)
const kidOf = (token: string) => JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString()).kid
const receiptRequest = (jti: string, outcome: string) =>
  oauthRequest(pair.issuer, '/receipts', world.resource, { jti, outcome }, {}, false)
const spread = (requests: readonly ReturnType<typeof consumeRequest>[]): Promise<Answer[]> =>
  Promise.all(requests.map((request, n) => sender.send(pair.members[n % 2 === 0 ? 0 : 1].port, request)))
const active = (answers: readonly Answer[]) => answers.filter(({ body }) => body.active === true)

describe('on two processes', () => {
  test.each([
    ['each with its own id', (n: number) => `call-${n}`],
    ['without an id', () => undefined],
    ['all with one id', () => 'call'],
  ] as const)(`${CALLS} consume calls at once, %s -> exactly one active`, async (_name, id) => {
    const token = await newToken()
    const answers = await spread(Array.from({ length: CALLS }, (_, n) => consumeRequest(token, id(n))))
    expect(active(answers)).toHaveLength(1)
    const others = answers.filter(({ body }) => body.active !== true)
    expect(others.every(({ status, body }) => status === 200 && body.active === false)).toBe(true)
    // Only whoever names the very use that was made is told of it.
    expect(others.filter(({ body }) => body.consumed !== undefined)).toHaveLength(id(0) === 'call' ? CALLS - 1 : 0)
  })

  test('a token is as good where it was signed as where it has to be verified, and one with another signature is good nowhere', async () => {
    const [token, other] = [await newToken(), await newToken()]
    const spliced = token.replace(/[^.]+$/, other.split('.')[2] ?? '')
    const foreign = jwt(newClient('x').key, { typ: 'at+jwt', kid: kidOf(token) }, claimsOf(token))
    for (const asked of [spliced, foreign]) {
      const answers = await spread([consumeRequest(asked), consumeRequest(asked), ask(asked), ask(asked)])
      expect(answers.map(({ body }) => body)).toEqual(Array(4).fill({ active: false }))
    }
    // Nothing of it was used up.
    const genuine = await spread([ask(token), ask(token)])
    expect(genuine.map(({ body }) => body.active)).toEqual([true, true])
    for (const [n, one] of [token, other].entries()) {
      const request = consumeRequest(one)
      expect((await sender.send(pair.members[n === 0 ? 0 : 1].port, request)).body.active).toBe(true)
    }
  })

  test('300 receipts at once, of two kinds -> one is new, its repeats are the same, the others conflict', async () => {
    const { jti } = claimsOf(await newToken())
    const answers = await spread(
      Array.from({ length: 300 }, (_, n) => receiptRequest(jti, n % 3 === 0 ? 'failed' : 'succeeded')),
    )
    const count = (status: number) => answers.filter((answer) => answer.status === status).length
    expect(count(201)).toBe(1)
    expect(count(200) + 1).toBe(answers.find(({ status }) => status === 201)?.body.outcome === 'failed' ? 100 : 200)
    expect(count(200) + count(201) + count(409)).toBe(300)
  })

  test('a consume and a receipt at once: whatever comes first, at most one use', async () => {
    for (let trial = 0; trial < 30; trial++) {
      const token = await newToken()
      const { jti } = claimsOf(token)
      const answers = await spread([
        consumeRequest(token, 'a'),
        receiptRequest(jti, 'refused'),
        consumeRequest(token, 'b'),
      ])
      expect(active(answers).length).toBeLessThanOrEqual(1)
      expect(answers[1]?.status).toBe(201)
    }
  })

  test('a consume and a revocation at once: once the revocation has answered, nothing is active', async () => {
    for (let trial = 0; trial < 30; trial++) {
      const token = await newToken()
      const { jti } = claimsOf(token)
      const racing = spread(Array.from({ length: 6 }, (_, n) => consumeRequest(token, `r${n}`)))
      await world.api.call('POST', `/admin/tokens/${jti}/revoke`, {})
      const late = await spread([consumeRequest(token, 'late'), consumeRequest(token, 'later')])
      expect(active(late)).toEqual([])
      expect(active(await racing).length).toBeLessThanOrEqual(1)
    }
  })
})

test(`kill -9 between consume and answer, ${KILLS} times: the repeat with the same id learns what happened`, async () => {
  const tally = { answered: 0, consumedUnseen: 0, notConsumed: 0 }
  for (let kill = 0; kill < KILLS; kill++) {
    const port = await freePort()
    const victim = await startProcess({ ...pair.folder.settings, WRIT_PORT: String(port) })
    const tokens = await Promise.all(Array.from({ length: 40 }, newToken))
    const own = keepAliveSender(40)
    const calls = tokens.map(async (token, n) => {
      await sleep(n * 4)
      return own.send(port, consumeRequest(token, `call-${kill}`)).catch(() => undefined)
    })
    await sleep(40 + kill * 12)
    await victim.end('SIGKILL')
    const answers = await Promise.all(calls)
    own.close()
    for (const [n, answer] of answers.entries()) {
      const token = tokens[n] ?? ''
      const { body } = await sender.send(pair.members[0].port, consumeRequest(token, `call-${kill}`))
      if (answer !== undefined) {
        // It had its answer; asked again, it is told so, and is not active a second time.
        expect(answer.body.active).toBe(true)
        expect(body).toMatchObject({ active: false, consumed: { receipt: null } })
        tally.answered++
      } else if (body.active === true) {
        tally.notConsumed++
      } else {
        // It was consumed and the answer was lost: the same id learns of it, and nobody else does.
        expect(body).toMatchObject({ active: false, consumed: { at: expect.any(Number), receipt: null } })
        const stranger = await sender.send(pair.members[0].port, consumeRequest(token, 'another'))
        expect(stranger.body).toStrictEqual({ active: false })
        tally.consumedUnseen++
      }
    }
  }
  console.log(`kill -9, ${KILLS} times: ${JSON.stringify(tally)}`)
  expect(tally.answered + tally.consumedUnseen + tally.notConsumed).toBe(KILLS * 40)
}, 180_000)
