import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { answerFor, approve, askAtBackchannel, asked, askingWorld, poll, waiting } from '../../support/approvals.ts'
import { given, newAgent } from '../../support/chain.ts'
import { exchange, introspect, newClient, oauthRequest, send } from '../../support/clients.ts'
import { startTestServer, type TestServer } from '../../support/server.ts'
import { claimsOf, createWorld, type World } from '../../support/world.ts'
import { administer, expectRefused, issued } from './answers.ts'

let server: TestServer
let world: World
beforeAll(async () => {
  server = await startTestServer()
  world = await askingWorld(server)
})
afterAll(() => server.close())

const BOUND = {
  type: 'email_send',
  to: { $each: { $email_domain: ['example.com'] }, $max_items: 3 },
  subject: { $any: true },
  body: { $any: true },
}
const subject = (text: string) => ({ ...world.action, subject: text })
const recordsOf = async (of: World, query = '') => {
  const { body } = await of.api.call('GET', `/admin/records?agent=${of.agent.id}&limit=200${query}`)
  return body.items as Record<string, unknown>[]
}

describe('an exchange that needs a yes', () => {
  test('says how to come back, and is on record as pending, without a token', async () => {
    const own = await askingWorld(server)
    const answer = await own.exchange({ form: { turn: 't-1', purpose: 'The minutes of Monday' } })
    const { authReqId, id } = waiting(own, answer)
    expect(answer.body).toEqual({
      error: 'authorization_pending',
      error_description: expect.stringMatching(/approval/),
      auth_req_id: authReqId,
      // The database keeps milliseconds.
      expires_in: expect.toSatisfy((seconds) => seconds === 299 || seconds === 300),
      interval: 5,
      approval_uri: `${server.issuer}/me/approvals/${id}`,
    })
    const [record, ...more] = await recordsOf(own, '&decision=pending')
    expect(more).toEqual([])
    expect(record).toMatchObject({
      ...{
        kind: 'action_token',
        decision: 'pending',
        principal: own.principal,
        delegation: own.delegation.id,
        turn: 't-1',
      },
      because: { bounds: [0], approval: id },
    })
    expect(record).not.toHaveProperty('jti')
    expect(await recordsOf(own, '&decision=issued')).toEqual([])
  })

  test('is one request while it waits, with a turn and without', async () => {
    const one = await asked(world, {}, subject('same'))
    expect(await asked(world, {}, subject('same'))).toEqual(one)
    const turn = await asked(world, { form: { turn: 't' } }, subject('same'))
    expect(turn.id).not.toBe(one.id)
    expect(await asked(world, { form: { turn: 't' } }, subject('same'))).toEqual(turn)
  })

  test('is refused first for what is refused anyway: bounds, limits, a stop', async () => {
    expectRefused(
      await world.exchange({}, { action: { ...world.action, to: ['eve@evil.example'] } }),
      400,
      'access_denied',
    )
    const limited = await askingWorld(server, 'each', { delegation: { limits: { max_uses: 1 } } })
    await approveAndRedeem(limited)
    expectRefused(await limited.exchange(), 400, 'access_denied')
  })

  test('item by item in a batch', async () => {
    const own = await askingWorld(server, { mode: 'outside', outside: [{ ...BOUND, subject: 'free' }] })
    const actions = [{ ...own.action, subject: 'free' }, own.action, { ...own.action, to: ['eve@evil.example'] }]
    const form = { batch: 'true', turn: 'b', authorization_details: JSON.stringify(actions) }
    const { status, body } = await own.exchange({ form })
    expect(status).toBe(200)
    expect(body.tokens).toMatchObject([
      { status: 200, token_type: 'DPoP' },
      { status: 400, error: 'authorization_pending', auth_req_id: expect.stringMatching(/^ap_/), interval: 5 },
      { status: 400, error: 'access_denied' },
    ])
    const alone = await asked(own, { form: { turn: 'b.1' } })
    expect(alone.authReqId).toBe(body.tokens[1].auth_req_id)
  })

  test.each([['x'.repeat(1_001)], ['\u{1f600}'.repeat(1_001)], ['a\u0000b']])(
    'with words that cannot be shown is refused (%#)',
    async (purpose) => {
      expectRefused(await world.exchange({ form: { purpose } }), 400, 'invalid_request')
    },
  )

  test('with a thousand characters of any kind is taken', async () => {
    await asked(world, { form: { purpose: '\u{1f600}'.repeat(1_000) } }, subject('words'))
  })
})

async function approveAndRedeem(own: World): Promise<string> {
  const { id, authReqId } = await asked(own)
  await approve(own, { id, authReqId })
  return issued(poll(own, authReqId))
}

describe('the rule of the delegation', () => {
  test('none, or no rule: nobody is asked', async () => {
    for (const approval of ['none', { mode: 'none' }]) await issued((await askingWorld(server, approval)).exchange())
    await issued((await createWorld(server)).exchange())
  })

  test('outside: what fits one of its bounds wholly is free, everything else is asked for', async () => {
    const own = await askingWorld(server, {
      mode: 'outside',
      outside: [
        { ...BOUND, to: ['bob@example.com'] },
        { ...BOUND, subject: { $prefix: 'Re: ' } },
      ],
    })
    await issued(own.exchange())
    await issued(own.exchange({}, { action: { ...own.action, to: ['ann@example.com'], subject: 'Re: lunch' } }))
    await asked(own, {}, { ...own.action, to: ['ann@example.com'] })
    await asked(own, {}, { ...own.action, to: ['bob@example.com', 'ann@example.com'] })
  })

  test('outside: a bound that is not valid under the type as it is now frees nothing', async () => {
    const type = `note_${Date.now().toString(36)}`
    const definition = (properties: object) => ({
      ...{ title: 'Write a note', template: 'Write {text}', risk: 'write' },
      schema: { type: 'object', properties, required: ['text'], additionalProperties: false },
    })
    const text = { type: 'string', maxLength: 100 }
    await administer(world, 'POST', '/admin/action-types', { type, ...definition({ text, at: text }) })
    const own = await askingWorld(
      server,
      { mode: 'outside', outside: [{ type, text: { $any: true }, at: { $optional: { $any: true } } }] },
      { bounds: [{ type, text: { $any: true } }], action: { type, text: 'hello' } },
    )
    await issued(own.exchange())
    const { headers } = await administer(world, 'GET', `/admin/action-types/${type}`)
    const change = { 'Content-Type': 'application/merge-patch+json', 'If-Match': String(headers.etag) }
    const patch = { schema: { properties: { at: null } } }
    const patched = await world.api.call('PATCH', `/admin/action-types/${type}`, patch, Object.entries(change))
    expect(patched.status, patched.text).toBe(200)
    await asked(own)
  })

  test('of a delegation above asks too, and whoever it names', async () => {
    const own = await askingWorld(server, 'each', { delegation: { delegable: { max_depth: 2 } } })
    const helper = await newAgent(own)
    const child = await given(server.issuer, { agent: own.agent, subjectToken: own.delegation.subjectToken }, helper, [
      { ...BOUND, locations: [own.identifier] },
    ])
    const wish = { subjectToken: child.subjectToken, resource: own.identifier, action: own.action }
    const { id, authReqId } = waiting(own, await exchange(server.issuer, helper, wish))
    const shown = await own.api.call('GET', `/admin/approvals?agent=${helper.id}`)
    expect(shown.body.items).toMatchObject([{ id, state: 'pending' }])
    await approve(own, { id, authReqId })
    const claims = claimsOf(await issued(poll({ issuer: server.issuer, agent: helper }, authReqId)))
    expect(claims).toMatchObject({
      sub: own.principal,
      client_id: helper.id,
      act: { sub: helper.id, act: { sub: own.agent.id } },
    })
  })

  test('with a threshold waits for as many as it says; one no ends it', async () => {
    const principals = await Promise.all(
      ['ann', 'bob', 'cat'].map(async (name) => {
        const id = `${name}-${world.principal}`
        await administer(world, 'POST', '/admin/principals', { id, kind: 'service', name })
        return id
      }),
    )
    const [ann = '', bob = '', cat = ''] = principals
    const own = await askingWorld(server, { mode: 'each', approvers: principals, threshold: 2 })
    const first = await asked(own)
    expect((await answerFor(own, first.id, 'approve', { approver: ann })).body.state).toBe('pending')
    expect((await poll(own, first.authReqId)).body.error).toBe('authorization_pending')
    expect((await answerFor(own, first.id, 'approve', { approver: cat })).body.state).toBe('approved')
    await issued(poll(own, first.authReqId))
    const second = await asked(own)
    await answerFor(own, second.id, 'approve', { approver: ann })
    expect((await answerFor(own, second.id, 'deny', { approver: bob })).body.state).toBe('denied')
    expectRefused(await poll(own, second.authReqId), 400, 'access_denied')
  })
})

describe('the poll', () => {
  test('of what waits says so, of what is asked for too often that it is too often, on and on', async () => {
    const { authReqId, id } = await asked(world, {}, subject('polled'))
    const first = await poll(world, authReqId)
    expect(first.body).toMatchObject({ error: 'authorization_pending', auth_req_id: authReqId, interval: 5 })
    expect(waiting(world, first).id).toBe(id)
    for (const interval of [10, 15]) {
      const { status, body } = await poll(world, authReqId)
      expect([status, body]).toEqual([400, { error: 'slow_down', error_description: expect.any(String), interval }])
    }
    // What was decided is told at once, however soon.
    await approve(world, { authReqId, id })
    await issued(poll(world, authReqId))
  })

  test('of what was approved is the one token, for exactly that', async () => {
    const own = await askingWorld(server)
    const { authReqId, id } = await asked(own, { form: { turn: 'step-7' } })
    await approve(own, { authReqId, id })
    const answer = await poll(own, authReqId)
    expect(answer.body).toEqual({
      access_token: expect.any(String),
      issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
      token_type: 'DPoP',
      expires_in: 60,
      authorization_details: [{ ...own.action, locations: [own.identifier] }],
    })
    const claims = claimsOf(answer.body.access_token)
    expect(claims).toMatchObject({
      ...{ sub: own.principal, client_id: own.agent.id, turn: 'step-7', delegation_id: own.delegation.id },
      ...{ cnf: { jkt: own.agent.key.jkt }, authorization_details: [{ ...own.action, locations: [own.identifier] }] },
    })
    expect((await introspect(server.issuer, own.resource, answer.body.access_token)).body).toMatchObject({
      active: true,
    })
    const [record] = await recordsOf(own, '&decision=issued')
    expect(record).toMatchObject({ jti: claims.jti, because: { bounds: [0], approval: id }, turn: 'step-7' })
    expectRefused(await poll(own, authReqId), 400, 'invalid_grant')
    // Whose answer was lost: the turn is repeated, and nobody is asked again.
    expect(claimsOf(await issued(own.exchange({ form: { turn: 'step-7' } }))).jti).toBe(claims.jti)
  })

  test('of what was denied is a no, and asking again asks somebody again', async () => {
    const { authReqId, id } = await asked(world, {}, subject('denied'))
    expect((await answerFor(world, id, 'deny')).body.state).toBe('denied')
    expectRefused(await poll(world, authReqId), 400, 'access_denied')
    expectRefused(await poll(world, authReqId), 400, 'access_denied')
    expect((await asked(world, {}, subject('denied'))).id).not.toBe(id)
  })

  test('of what nobody answered in time says so', async () => {
    const hasty = await startTestServer({ approvalSeconds: 1 })
    try {
      const own = await askingWorld(hasty)
      const { authReqId, id } = await asked(own)
      await sleep(1_100)
      expectRefused(await poll(own, authReqId), 400, 'expired_token')
      expect((await answerFor(own, id, 'approve')).status).toBe(409)
    } finally {
      await hasty.close()
    }
  })

  test('counts at the limits when it is redeemed, not before', async () => {
    const own = await askingWorld(server, 'each', { delegation: { limits: { max_uses: 1 } } })
    const [one, two] = [await asked(own, { form: { turn: '1' } }), await asked(own, { form: { turn: '2' } })]
    await approve(own, one)
    await approve(own, two)
    await issued(poll(own, one.authReqId))
    expectRefused(await poll(own, two.authReqId), 400, 'access_denied')
  })

  test('of nothing, of what is not ours, and without a name', async () => {
    expectRefused(await poll(world, `ap_${'A'.repeat(22)}`), 400, 'invalid_grant')
    expectRefused(await poll(world, `ap_${'A'.repeat(2_000)}`), 400, 'invalid_grant')
    expect((await poll(world, 'bc_AAAA')).status).toBe(400)
    const { url, ...request } = oauthRequest(server.issuer, '/token', world.agent, {
      grant_type: 'urn:openid:params:grant-type:ciba',
    })
    expect((await send(url, request)).status).toBe(400)
  })

  test('is authenticated as every request is, and its proof is good once', async () => {
    const { authReqId } = await asked(world, {}, subject('authenticated'))
    expectRefused(await poll(world, authReqId, { proofs: [] }), 400, 'invalid_dpop_proof')
    expectRefused(await poll(world, authReqId, { form: { client_assertion: 'x' } }), 401, 'invalid_client')
    const stranger = newClient(world.agent.id)
    expectRefused(await poll({ ...world, agent: stranger }, authReqId), 401, 'invalid_client')
    const { url, ...request } = oauthRequest(server.issuer, '/token', world.agent, {
      ...{ grant_type: 'urn:openid:params:grant-type:ciba', auth_req_id: authReqId },
    })
    expect((await send(url, request)).body.error).toBe('authorization_pending')
    expectRefused(await send(url, request), 401, 'invalid_client')
  })
})

test('a resource server that calls another one on what was approved asks nobody again, and may not ask', async () => {
  const own = await askingWorld(server)
  const mailer = newClient(`${own.resource.id}-next`)
  const identifier = `https://${mailer.id}.example`
  const keys = [{ jwk: mailer.key.jwk }]
  await administer(own, 'POST', '/admin/resources', { id: mailer.id, identifier, name: 'Next', keys })
  const downstream = { from: BOUND, to_resource: identifier, authorization_details: [BOUND] }
  await administer(own, 'POST', `/admin/resources/${own.resource.id}/downstream`, downstream)
  const subjectToken = await approveAndRedeem(own)
  const wish = { subjectToken, resource: identifier, action: own.action }
  const shop = { ...own, agent: own.resource, identifier, delegation: { ...own.delegation, subjectToken } }
  expectRefused(await askAtBackchannel(shop), 400, 'unauthorized_client')
  const claims = claimsOf(await issued(exchange(server.issuer, own.resource, wish)))
  expect(claims).toMatchObject({ aud: identifier, client_id: own.resource.id, act: { act: { sub: own.agent.id } } })
})

test('a person is not answered for by an administrator', async () => {
  const own = await createWorld(server, { delegation: { approval: 'each' } })
  const { id } = await asked(own)
  expect((await answerFor(own, id, 'approve')).status).toBe(403)
})
