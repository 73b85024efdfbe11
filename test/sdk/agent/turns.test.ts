import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type AgentOptions, isWritRefusal, WritFault } from '../../../src/sdk/agent/index.ts'
import { administer } from '../../http/oauth/answers.ts'
import { newClient } from '../../support/clients.ts'
import { startTestServer, type TestServer } from '../../support/server.ts'
import { claimsOf, createWorld, type World } from '../../support/world.ts'
import { agentOf, expectNotShown, granted, refused } from './agents.ts'

let server: TestServer
let world: World
beforeAll(async () => {
  server = await startTestServer()
  world = await createWorld(server)
})
afterAll(() => server.close())

const mail = (subject: string) => ({ type: 'email_send', to: ['bob@example.com'], subject, body: 'Hello' })
const on = (at = world) => ({ subjectToken: at.wish.subjectToken, resource: at.identifier })
const agentAt = (at = world, options: Partial<AgentOptions> = {}) => agentOf(server.issuer, at.agent, options)
let turns = 0
const newTurn = () => `sdk-turn-${++turns}`
const jtiOf = (token: { readonly token: string }) => claimsOf(token.token).jti

/** A connection on which answers are lost: the server has done what it was asked, and nobody hears of it. */
function losing(times: number, how: 'cut' | 'silent' | 'half' = 'cut') {
  const sent: Request[] = []
  const fetch: typeof globalThis.fetch = async (input, init) => {
    const request = new Request(input, init)
    if (!request.url.endsWith('/token')) return globalThis.fetch(request)
    sent.push(request.clone())
    const answer = await globalThis.fetch(request)
    if (sent.length > times) return answer
    await answer.text()
    if (how === 'cut') throw new TypeError('fetch failed')
    if (how === 'half') return new Response(new ReadableStream({ start: (body) => body.error(new Error('reset')) }))
    return new Promise((_, reject) => init?.signal?.addEventListener('abort', () => reject(init.signal?.reason)))
  }
  return { fetch, sent }
}
const recordsOf = async (turn: string) => {
  const { body } = await world.api.call('GET', `/admin/records?agent=${world.agent.id}&decision=issued&limit=200`)
  return body.items.filter((record: { turn?: string }) => record.turn === turn)
}

describe('an exchange with a turn', () => {
  test('is for that turn, and again is the same token', async () => {
    const agent = await agentAt()
    const turn = newTurn()
    const first = granted(await agent.exchange({ ...on(), action: mail('a'), turn }))
    expect(claimsOf(first.token).turn).toBe(turn)
    expect(jtiOf(granted(await agent.exchange({ ...on(), action: mail('a'), turn })))).toBe(jtiOf(first))
    expect(jtiOf(granted(await agent.exchange({ ...on(), action: mail('b'), turn })))).not.toBe(jtiOf(first))
  })

  test.each(['cut', 'silent', 'half'] as const)(
    'whose answer was lost (%s) is made once more by itself, with a new proof: one mint',
    async (how) => {
      const { fetch, sent } = losing(1, how)
      const turn = newTurn()
      const agent = await agentAt(world, { fetch, timeoutSeconds: 1 })
      const token = granted(await agent.exchange({ ...on(), action: mail('lost'), turn }))
      expect(sent).toHaveLength(2)
      const [one, two] = await Promise.all(
        sent.map(async (request) => ({
          proof: request.headers.get('dpop'),
          attestation: request.headers.get('oauth-client-attestation'),
          assertion: new URLSearchParams(await request.text()).get('client_assertion'),
        })),
      )
      expect(one?.proof).not.toBe(two?.proof)
      expect([one?.assertion, two?.assertion]).toEqual([null, null])
      expect(one?.attestation).toBe(two?.attestation)
      expect(await recordsOf(turn)).toMatchObject([{ jti: jtiOf(token) }])
    },
  )

  test('whose answer was lost twice is a fault; the same call later finds the token', async () => {
    const { fetch, sent } = losing(2)
    const turn = newTurn()
    const agent = await agentAt(world, { fetch })
    const wish = { ...on(), action: mail('lost twice'), turn }
    await expect(agent.exchange(wish)).rejects.toMatchObject({ kind: 'unreachable' })
    expect(sent).toHaveLength(2)
    const token = granted(await agent.exchange(wish))
    expect(await recordsOf(turn)).toMatchObject([{ jti: jtiOf(token) }])
  })

  test('without a turn nothing is made again: it would be another mint', async () => {
    const { fetch, sent } = losing(1)
    const thrown = await (await agentAt(world, { fetch }))
      .exchange({ ...on(), action: mail('no turn') })
      .catch((error: unknown) => error)
    expect(thrown).toBeInstanceOf(WritFault)
    expectNotShown(thrown, world.wish.subjectToken)
    expect(sent).toHaveLength(1)
  })

  test('that its caller has given up is not made again', async () => {
    const { fetch, sent } = losing(1, 'silent')
    const wish = { ...on(), action: mail('given up'), turn: newTurn(), signal: AbortSignal.timeout(300) }
    await expect((await agentAt(world, { fetch })).exchange(wish)).rejects.toMatchObject({ name: 'TimeoutError' })
    expect(sent).toHaveLength(1)
  })

  test('that was refused is not made again', async () => {
    const { fetch, sent } = losing(0)
    const outcome = await (await agentAt(world, { fetch })).exchange({
      ...{ ...on(), action: { ...mail('x'), to: ['eve@evil.example'] }, turn: newTurn() },
    })
    expect(refused(outcome)).toMatchObject({ kind: 'not_permitted', member: 'to[0]' })
    expect(sent).toHaveLength(1)
  })

  test.each(['', 'a b', 'ä', 'x'.repeat(129), 7])('%j is no turn, and nothing is sent', async (turn) => {
    const agent = await agentAt(world, { fetch: () => Promise.reject(new Error('sent')) })
    await expect(agent.exchange({ ...on(), action: mail('a'), turn: turn as string })).rejects.toThrow(TypeError)
    const batch = agent.exchangeAll({ ...on(), actions: [mail('a')], turn: turn as string })
    await expect(batch).rejects.toThrow(TypeError)
  })
})

describe('a turn that is refused', () => {
  test('because its token was withdrawn, or another key began it, is told apart from what is not permitted', async () => {
    const agent = await agentAt()
    const wish = { ...on(), action: mail('over'), turn: newTurn() }
    const token = granted(await agent.exchange(wish))
    await administer(world, 'POST', `/admin/tokens/${jtiOf(token)}/revoke`, { reason: 'test' })
    expect(refused(await agent.exchange(wish))).toMatchObject({
      ...{ kind: 'turn_refused', error: 'access_denied', decisionId: expect.any(String) },
      advice: expect.stringContaining('new turn'),
    })

    const second = newClient(world.agent.id)
    await administer(world, 'POST', `/admin/agents/${world.agent.id}/keys`, { jwk: second.key.jwk })
    const other = { ...wish, turn: newTurn() }
    granted(await agent.exchange(other))
    expect(refused(await (await agentOf(server.issuer, second)).exchange(other)).kind).toBe('turn_refused')
  })
})

describe('several actions of one turn', () => {
  test('are one request, and each has its token or its own refusal, in their order', async () => {
    const { fetch, sent } = losing(0)
    const agent = await agentAt(world, { fetch })
    const turn = newTurn()
    const bad = { ...mail('bad'), to: ['eve@evil.example'] }
    const outcomes = await agent.exchangeAll({ ...on(), actions: [mail('1'), bad, mail('3')], turn })
    if (isWritRefusal(outcomes)) throw new Error(outcomes.description)
    expect(sent).toHaveLength(1)
    const [first, second, third] = outcomes
    if (first === undefined || third === undefined || isWritRefusal(first) || isWritRefusal(third)) throw new Error()
    expect([first.action.subject, third.action.subject]).toEqual(['1', '3'])
    expect(claimsOf(third.token)).toMatchObject({ turn: `${turn}.2`, cnf: { jkt: world.agent.key.jkt } })
    expect(first).toMatchObject({ resource: world.identifier, expiresInSeconds: 60 })
    expect(refused(second)).toMatchObject({
      ...{ kind: 'not_permitted', status: 400, member: 'to[0]', decisionId: expect.any(String) },
    })
    expectNotShown(outcomes, first.token, third.token)
    // One of them alone is the same token.
    const alone = granted(await agent.exchange({ ...on(), action: mail('3'), turn: `${turn}.2` }))
    expect(jtiOf(alone)).toBe(jtiOf(third))
  })

  test('whose answer was lost are asked for once more by themselves', async () => {
    const { fetch, sent } = losing(1)
    const turn = newTurn()
    const wish = { ...on(), actions: [mail('l1'), mail('l2')], turn }
    const outcomes = await (await agentAt(world, { fetch })).exchangeAll(wish)
    if (isWritRefusal(outcomes)) throw new Error(outcomes.description)
    expect([sent.length, outcomes.length]).toEqual([2, 2])
    for (const n of [0, 1]) expect(await recordsOf(`${turn}.${n}`)).toHaveLength(1)
  })

  test('of a delegation that has ended are refused as a whole', async () => {
    const own = await createWorld(server)
    await administer(own, 'DELETE', `/admin/delegations/${own.delegation.id}`, {})
    const outcome = await (await agentAt(own)).exchangeAll({ ...on(own), actions: [mail('1'), mail('2')], turn: 't' })
    expect(refused(outcome)).toMatchObject({ kind: 'delegation_ended', error: 'invalid_grant' })
  })

  test.each<[string, unknown]>([
    ['none', []],
    ['33', Array.from({ length: 33 }, () => mail('x'))],
    ['no list', mail('x')],
    ['one without a type', [mail('x'), { to: [] }]],
  ])('%s: a mistake, and nothing is sent', async (_name, actions) => {
    const agent = await agentAt(world, { fetch: () => Promise.reject(new Error('sent')) })
    const wish = { ...on(), actions: actions as [], turn: newTurn() }
    await expect(agent.exchangeAll(wish)).rejects.toThrow(TypeError)
  })
})

describe('a limit that is reached', () => {
  const limited = (limits: object) => createWorld(server, { delegation: { limits } })

  test('is told apart, with whose limit it is and which', async () => {
    const at = await limited({ max_uses: 1 })
    const agent = await agentAt(at)
    granted(await agent.exchange({ ...on(at), action: mail('1') }))
    const refusal = refused(await agent.exchange({ ...on(at), action: mail('2') }))
    expect(refusal).toMatchObject({
      ...{ kind: 'limit_reached', error: 'access_denied', limit: { of: 'delegation', rule: 'max_uses' } },
      ...{ decisionId: expect.any(String), advice: expect.stringContaining('until the limit has room again') },
    })
    expect(refusal).not.toHaveProperty('member')
    // The same among others of one turn.
    const outcomes = await agent.exchangeAll({ ...on(at), actions: [mail('3')], turn: 't' })
    expect(isWritRefusal(outcomes) ? [] : outcomes.map((one) => refused(one).kind)).toEqual(['limit_reached'])
  })

  test('of a rate and of a sum say how many in which time, and of which member', async () => {
    const at = await limited({ rates: [{ seconds: 60, max_uses: 1 }] })
    const agent = await agentAt(at)
    granted(await agent.exchange({ ...on(at), action: mail('1') }))
    expect(refused(await agent.exchange({ ...on(at), action: mail('2') })).limit).toEqual({
      ...{ of: 'delegation', rule: 'rate', maxUses: 1, seconds: 60 },
    })
    const payment = {
      ...{ type: 'payment_initiation', instructedAmount: { currency: 'EUR', amount: '5.01' } },
      ...{ creditorName: 'Merchant', creditorAccount: { iban: 'DE02100100109307118603' } },
    }
    const any = { $any: true }
    const bound = { type: 'payment_initiation', instructedAmount: { currency: 'EUR', amount: any } }
    const bank = await createWorld(server, {
      bounds: [{ ...bound, creditorName: any, creditorAccount: { iban: any } }],
      delegation: { limits: { sums: [{ member: 'instructedAmount.amount', max: '5.00' }] } },
    })
    const refusal = refused(await (await agentAt(bank)).exchange({ ...on(bank), action: payment }))
    expect(refusal).toMatchObject({
      ...{ kind: 'limit_reached', member: 'instructedAmount.amount' },
      limit: { of: 'delegation', rule: 'sum', member: 'instructedAmount.amount' },
    })
  })

  test('can be seen coming: what is left stands with the delegations', async () => {
    const limits = { max_uses: 5, rates: [{ seconds: 3_600, max_uses: 3 }] }
    const at = await limited(limits)
    const agent = await agentAt(at)
    const read = async () => {
      const delegations = await agent.delegations()
      return isWritRefusal(delegations) ? undefined : delegations[0]
    }
    const delegation = await read()
    expect(delegation?.limits).toEqual({ ...limits, remaining: limits })
    expect(delegation?.more).not.toHaveProperty('limits')
    if (delegation === undefined) throw new Error('no delegation')
    granted(await agent.exchange({ delegation, action: mail('1') }))
    expect((await read())?.limits?.remaining).toEqual({ max_uses: 4, rates: [{ seconds: 3_600, max_uses: 2 }] })
    const [bare] = await (await agentAt()).delegations().then((all) => (isWritRefusal(all) ? [] : all))
    expect(bare).not.toHaveProperty('limits')
  })
})
