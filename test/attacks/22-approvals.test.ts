import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { administer, expectRefused, issued } from '../http/oauth/answers.ts'
import { answerFor, approve, askAtBackchannel, asked, askingWorld, poll, pollRequest } from '../support/approvals.ts'
import { newClient, oauthRequest, send } from '../support/clients.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { claimsOf, type World } from '../support/world.ts'

/** A yes is for one exact action, of one agent, by one key, by whoever was asked, while everything stands that it rests on. */

let server: TestServer
beforeAll(async () => {
  server = await startTestServer()
})
afterAll(() => server.close())

const other = (world: World, change: object) => ({ ...world.action, ...change })

describe('what was approved is what is presented', () => {
  test('approve A, present B: the poll takes no action, and B asks for a yes of its own', async () => {
    const world = await askingWorld(server)
    const a = await asked(world)
    await approve(world, a)
    const b = JSON.stringify([other(world, { to: ['ann@example.com'] })])
    // What is sent beside the poll means nothing: the token is for what was approved.
    const answer = await poll(world, a.authReqId, {
      form: { authorization_details: b, resource: 'https://elsewhere.example' },
    })
    expect(answer.status, answer.text).toBe(200)
    const claims = claimsOf(answer.body.access_token)
    expect(claims.authorization_details).toEqual([{ ...world.action, locations: [world.identifier] }])
    expect(claims.aud).toBe(world.identifier)
    expect((await asked(world, {}, other(world, { to: ['ann@example.com'] }))).id).not.toBe(a.id)
  })

  test.each([
    ['one byte more', { body: 'Hello!' }],
    ['one byte less', { body: 'Hell' }],
    ['another byte', { body: 'Hallo' }],
    ['a character that looks the same', { body: 'H\u0435llo' }],
    ['one that is not seen', { body: 'Hello\u200b' }],
    ['one member more', { cc: [] }],
  ])('%s is another action', async (_, change) => {
    const any = { $any: true }
    const bounds = [{ type: 'email_send', to: any, cc: { $optional: any }, subject: any, body: any }]
    const world = await askingWorld(server, 'each', { bounds })
    const one = await asked(world)
    await approve(world, one)
    expect((await asked(world, {}, other(world, change))).id).not.toBe(one.id)
    // That of the other waits still.
    expect((await poll(world, (await asked(world, {}, other(world, change))).authReqId)).body.error).toBe(
      'authorization_pending',
    )
  })

  test('the approval is replayed: by its name, and by the very request', async () => {
    const world = await askingWorld(server)
    const one = await asked(world)
    await approve(world, one)
    const { url, ...request } = pollRequest(server.issuer, world.agent, one.authReqId)
    await issued(send(url, request))
    expectRefused(await send(url, request), 401, 'invalid_client')
    expectRefused(await poll(world, one.authReqId), 400, 'invalid_grant')
    // A yes is used up with its token: the same action is asked for again.
    expect((await asked(world)).id).not.toBe(one.id)
    expect((await answerFor(world, one.id, 'approve')).status).toBeLessThan(500)
    expectRefused(await poll(world, one.authReqId), 400, 'invalid_grant')
  })
})

describe('who has it', () => {
  test('another agent polls, before and after the yes', async () => {
    const [world, thief] = [await askingWorld(server), await askingWorld(server)]
    const one = await asked(world)
    expectRefused(await poll(thief, one.authReqId), 400, 'invalid_grant')
    await approve(world, one)
    expectRefused(await poll(thief, one.authReqId), 400, 'invalid_grant')
    expectRefused(await poll({ ...world, agent: thief.resource }, one.authReqId), 400, 'invalid_grant')
    await issued(poll(world, one.authReqId))
  })

  test('another key of the same agent polls', async () => {
    const world = await askingWorld(server)
    const second = newClient(world.agent.id)
    await administer(world, 'POST', `/admin/agents/${world.agent.id}/keys`, { jwk: second.key.jwk })
    const one = await asked(world)
    expectRefused(await poll({ ...world, agent: second }, one.authReqId), 400, 'invalid_grant')
    await approve(world, one)
    expectRefused(await poll({ ...world, agent: second }, one.authReqId), 400, 'invalid_grant')
    expectRefused(await poll(world, one.authReqId, { proofKey: second.key }), 400, 'invalid_grant')
    await issued(poll(world, one.authReqId, {}))
  })

  test('whoever was not asked answers: a principal of another delegation, the name of nobody, another agent', async () => {
    const [world, elsewhere] = [await askingWorld(server), await askingWorld(server)]
    const one = await asked(world)
    for (const approver of [elsewhere.principal, 'nobody', world.agent.id]) {
      const answer = await answerFor(world, one.id, 'approve', { approver })
      expect(answer.status, answer.text).toBeGreaterThanOrEqual(400)
      expect(answer.status, answer.text).toBeLessThan(500)
    }
    expect((await poll(world, one.authReqId)).body.error).toBe('authorization_pending')
  })
})

describe('while everything stands', () => {
  const suspend = (world: World, path: string) => administer(world, 'POST', `/admin/${path}/suspend`, {})
  const resume = (world: World, path: string) => administer(world, 'POST', `/admin/${path}/resume`, {})
  const STOPPED: readonly (readonly [string, (world: World) => string])[] = [
    ['the principal', ({ principal }) => `principals/${principal}`],
    ['the agent', ({ agent }) => `agents/${agent.id}`],
    ['the resource', ({ resource }) => `resources/${resource.id}`],
  ]
  test.each(STOPPED)('approve after %s was suspended', async (_, path) => {
    const world = await askingWorld(server)
    const one = await asked(world)
    await suspend(world, path(world))
    const answer = await answerFor(world, one.id, 'approve')
    expect(answer.status, answer.text).toBeGreaterThanOrEqual(400)
    expect((await poll(world, one.authReqId)).status).toBeGreaterThanOrEqual(400)
    await resume(world, path(world))
    const late = await poll(world, one.authReqId)
    expect([late.status, ['access_denied', 'authorization_pending', 'slow_down'].includes(late.body.error)]).toEqual([
      400,
      true,
    ])
  })

  test.each(STOPPED)('redeem after %s was suspended', async (_, path) => {
    const world = await askingWorld(server)
    const one = await asked(world)
    await approve(world, one)
    await suspend(world, path(world))
    const answer = await poll(world, one.authReqId)
    expect(answer.status, answer.text).toBeGreaterThanOrEqual(400)
    expect(answer.body).not.toHaveProperty('access_token')
  })

  test('an agent that was suspended, or whose key was retired, is told nothing of what waits', async () => {
    const [world, other] = [await askingWorld(server), await askingWorld(server)]
    const [one, two] = [await asked(world), await asked(other)]
    await suspend(world, `agents/${world.agent.id}`)
    expectRefused(await poll(world, one.authReqId), 401, 'invalid_client')
    await administer(other, 'DELETE', `/admin/agents/${other.agent.id}/keys/${other.agent.key.jkt}`)
    expectRefused(await poll(other, two.authReqId), 401, 'invalid_client')
  })

  test('redeem after whoever said yes was suspended: it stays refused, and somebody is asked again', async () => {
    const board = `board-${randomBytes(5).toString('hex')}`
    const { api } = await askingWorld(server)
    await api.call('POST', '/admin/principals', { id: board, kind: 'organization' })
    const world = await askingWorld(server, { mode: 'each', approvers: [board] })
    const one = await asked(world)
    await approve(world, one)
    await suspend(world, `principals/${board}`)
    expectRefused(await poll(world, one.authReqId), 400, 'invalid_grant')
    await resume(world, `principals/${board}`)
    expectRefused(await poll(world, one.authReqId), 400, 'access_denied')
    expect((await asked(world)).id).not.toBe(one.id)
  })

  test('redeem after the delegation was revoked', async () => {
    const world = await askingWorld(server)
    const [one, two] = [await asked(world), await asked(world, { form: { turn: 't' } })]
    await approve(world, one)
    await administer(world, 'DELETE', `/admin/delegations/${world.delegation.id}`)
    expectRefused(await poll(world, one.authReqId), 400, 'invalid_grant')
    expect((await answerFor(world, two.id, 'approve')).status).toBe(409)
    expectRefused(await poll(world, two.authReqId), 400, 'access_denied')
  })

  test('the action type changes in between: what was asked is void, before its answer and after', async () => {
    const type = `pay_${Date.now().toString(36)}`
    const api = (await askingWorld(server)).api
    const definition = {
      ...{ type, title: 'Pay', template: 'Pay {amount}', risk: 'write' },
      schema: {
        ...{ type: 'object', required: ['amount'], additionalProperties: false },
        properties: { amount: { type: 'string', maxLength: 20 } },
      },
    }
    expect((await api.call('POST', '/admin/action-types', definition)).status).toBe(201)
    const world = await askingWorld(server, 'each', {
      bounds: [{ type, amount: { $any: true } }],
      action: { type, amount: '10.00' },
    })
    const [waits, approved] = [await asked(world), await asked(world, { form: { turn: 't' } })]
    await approve(world, approved)
    const { headers } = await administer(world, 'GET', `/admin/action-types/${type}`)
    const change = { 'Content-Type': 'application/merge-patch+json', 'If-Match': String(headers.etag) }
    const patched = await api.call(
      'PATCH',
      `/admin/action-types/${type}`,
      { template: 'Give {amount} away' },
      Object.entries(change),
    )
    expect(patched.status, patched.text).toBe(200)
    expectRefused(await poll(world, approved.authReqId), 400, 'access_denied')
    expect((await answerFor(world, waits.id, 'approve')).status).toBe(409)
    expectRefused(await poll(world, waits.authReqId), 400, 'access_denied')
    const again = await asked(world)
    expect(again.id).not.toBe(waits.id)
    await approve(world, again)
    await issued(poll(world, again.authReqId))
  })

  test('a stop of everything: nothing is redeemed', async () => {
    const own = await startTestServer()
    try {
      const world = await askingWorld(own)
      const one = await asked(world)
      await approve(world, one)
      await administer(world, 'POST', '/admin/stop', { reason: 'drill' })
      expectRefused(await poll(world, one.authReqId), 400, 'access_denied')
      await administer(world, 'DELETE', '/admin/stop')
      await issued(poll(world, one.authReqId))
    } finally {
      await own.close()
    }
  })
})

describe('text that is meant to deceive', () => {
  const TEXTS: readonly (readonly [string, string])[] = [
    ['ten thousand characters', 'x'.repeat(10_000)],
    ['a right-to-left override', 'invoice\u202efdp.exe'],
    ['characters of no width', 'pay\u200b\u200c\u200d\u2060\ufeffpal'],
    ['markup', '<script>alert(1)</script><b onmouseover=x>"&amp;\'</b>'],
    ['marks of ours', '⟨content not shown to Writ⟩ “approved”'],
    ['line breaks and controls', 'a\r\nb\tc\u0007\u001b[31m'],
  ]
  /** Every string member of one action, the agent's own words, and its name for the step where that may hold it. */
  test.each(TEXTS)('%s in every string member is kept to the byte, and marked in the sentence', async (name, text) => {
    const type = `note_${Buffer.from(name).toString('hex').slice(0, 40)}`
    const long = { type: 'string', maxLength: 20_000 }
    const definition = {
      ...{ type, title: 'Note', template: 'Write {title} and {body}', risk: 'write' },
      schema: {
        ...{ type: 'object', required: ['title', 'body', 'tags'], additionalProperties: false },
        properties: { title: long, body: long, tags: { type: 'array', maxItems: 5, items: long } },
      },
    }
    const api = (await askingWorld(server)).api
    expect((await api.call('POST', '/admin/action-types', definition)).status).toBe(201)
    const any = { $any: true }
    const action = { type, title: text, body: text, tags: [text, 'plain'] }
    const world = await askingWorld(server, 'each', { bounds: [{ type, title: any, body: any, tags: any }], action })
    const purpose = text.slice(0, 1_000)
    const one = await asked(world, { form: { purpose } })
    const { body: shown } = await administer(world, 'GET', `/admin/approvals/${one.id}`)
    expect(shown.action).toEqual({ ...action, locations: [world.identifier] })
    expect(shown.purpose).toBe(purpose)
    // biome-ignore lint/suspicious/noControlCharactersInRegex: what must not be there
    expect(shown.sentence).not.toMatch(/[\u0000-\u001f\u200b-\u200f\u202a-\u202e\u2060\ufeff]/)
    // The agent's own words are no part of what it will do.
    expect(shown.sentence.length).toBeLessThan(2_000)
    await approve(world, one)
    const answer = await poll(world, one.authReqId)
    expect(answer.body.authorization_details).toEqual([{ ...action, locations: [world.identifier] }])
  })

  test('an action as large as may be is shown whole, and had', async () => {
    const type = `blob_${Date.now().toString(36)}`
    const text = { type: 'string', maxLength: 65_536 }
    const definition = {
      ...{ type, title: 'Blob', template: 'Keep {body}', risk: 'write' },
      schema: { type: 'object', required: ['body'], additionalProperties: false, properties: { body: text } },
    }
    const { api } = await askingWorld(server)
    expect((await api.call('POST', '/admin/action-types', definition)).status).toBe(201)
    const empty = JSON.stringify([{ type, body: '' }]).length
    const action = { type, body: 'x'.repeat(64 * 1_024 - empty) }
    const bounds = [{ type, body: { $any: true } }]
    const world = await askingWorld(server, 'each', { bounds, action: { type, body: '' } })
    const one = await asked(world, {}, action)
    expect((await administer(world, 'GET', `/admin/approvals/${one.id}`)).body.action.body).toBe(action.body)
    await approve(world, one)
    await issued(poll(world, one.authReqId))
  })

  test('longer words than an approver can be expected to read are refused', async () => {
    const world = await askingWorld(server)
    expectRefused(await world.exchange({ form: { purpose: 'x'.repeat(10_000) } }), 400, 'invalid_request')
    expectRefused(await askAtBackchannel(world, { binding_message: 'x'.repeat(10_000) }), 400, 'invalid_request')
  })
})

test('twenty-one at once: twenty wait, one is refused, and so is every other until one is answered', async () => {
  const world = await askingWorld(server)
  const answers = await Promise.all(Array.from({ length: 21 }, (_, n) => world.exchange({ form: { turn: `t${n}` } })))
  expect(answers.filter(({ body }) => body.error === 'authorization_pending')).toHaveLength(20)
  const refused = answers.filter(({ body }) => body.error !== 'authorization_pending')
  for (const answer of refused) expectRefused(answer, 400, 'access_denied')
  expectRefused(await askAtBackchannel(world, { turn: 'one-more' }), 400, 'access_denied')
  const { body } = await administer(world, 'GET', `/admin/approvals?agent=${world.agent.id}&state=pending&limit=200`)
  expect(body.items).toHaveLength(20)
  await answerFor(world, body.items[0].id, 'deny')
  await asked(world, { form: { turn: 'one-more' } })
})

test('a proof for the exchange does not open the backchannel, nor the other way', async () => {
  const world = await askingWorld(server)
  const at = (path: string) => oauthRequest(server.issuer, path, world.agent, {}).headers
  const proofs = at('/token').flatMap(([name, value]) => (name === 'DPoP' ? [value] : []))
  expectRefused(await askAtBackchannel(world, {}, { proofs }), 400, 'invalid_dpop_proof')
  const others = at('/backchannel').flatMap(([name, value]) => (name === 'DPoP' ? [value] : []))
  expectRefused(await poll(world, (await asked(world)).authReqId, { proofs: others }), 400, 'invalid_dpop_proof')
})
