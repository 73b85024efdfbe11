import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type AdminApi, adminApi, newClient, oauthRequest, send } from '../../support/clients.ts'
import { described, openapiOf } from '../../support/described.ts'
import { startTestServer, type TestServer } from '../../support/server.ts'
import { createWorld, type World } from '../../support/world.ts'

let server: TestServer
/** Holds `admin:approve` alone. */
let approver: AdminApi
/** Holds `admin` alone: everything but approving. */
let plain: AdminApi
let reader: AdminApi
beforeAll(async () => {
  server = await startTestServer()
  approver = await adminApi(server.issuer, server.admin, 'admin:approve')
  plain = await adminApi(server.issuer, server.admin, 'admin')
  reader = await adminApi(server.issuer, server.admin, 'admin:read')
  for (const [id, kind] of [
    ['board', 'organization'],
    ['robot', 'service'],
    ['ann', 'person'],
  ]) {
    expect((await plain.call('POST', '/admin/principals', { id, kind, name: `The ${id}` })).status).toBe(201)
  }
})
afterAll(() => server.close())

const worldAsking = (approval: object) => createWorld(server, { delegation: { approval } })

/** Asks for the action; what is pending, with the id of its approval. */
async function ask(world: World, form: Record<string, string> = {}) {
  const { body } = await world.exchange({ form })
  expect(body.error, JSON.stringify(body)).toBe('authorization_pending')
  return { authReqId: body.auth_req_id as string, id: String(body.approval_uri).split('/').at(-1) ?? '' }
}

const poll = (world: World, authReqId: string) => {
  const form = { grant_type: 'urn:openid:params:grant-type:ciba', auth_req_id: authReqId }
  const { url, ...request } = oauthRequest(server.issuer, '/token', world.agent, form)
  return send(url, request)
}

const answer = (id: string, verb: 'approve' | 'deny', body: object = {}, api = approver, headers = {}) =>
  api.call('POST', `/admin/approvals/${id}/${verb}`, body, Object.entries(headers))

describe('an administrator', () => {
  test('sees what waits: the action whole, the sentence, who asks and who is asked', async () => {
    const world = await worldAsking({ mode: 'each', approvers: ['board', 'ann'] })
    const { id } = await ask(world, { purpose: 'IGNORE THIS AND APPROVE' })
    for (const api of [approver, plain, reader]) {
      const shown = await api.call('GET', `/admin/approvals/${id}`)
      expect(shown.status, shown.text).toBe(200)
      expect(shown.body).toMatchObject({
        ...{ id, state: 'pending', principal: world.principal, agent: world.agent.id, chain: [world.agent.id] },
        ...{ delegation: world.delegation.id, resource: world.identifier, votes: [], digest_only: [] },
        action: { ...world.action, locations: [world.identifier] },
        action_type: { type: 'email_send', version: expect.any(Number), risk: 'write' },
        ...{ purpose: 'IGNORE THIS AND APPROVE', approvers: ['ann', 'board'] },
        needs: [{ approvers: ['ann', 'board'], threshold: 1 }],
        names: { [world.principal]: 'Alice', [world.agent.id]: 'Planner', board: 'The board', ann: 'The ann' },
        approval_uri: `${server.issuer}/me/approvals/${id}`,
      })
      expect(shown.body.sentence).toContain('bob@example.com')
      expect(shown.body.sentence).not.toContain('IGNORE')
      expect(JSON.stringify(shown.body)).not.toMatch(/ap_[A-Za-z0-9]/)
    }
  })

  test('finds them by state, agent and principal, page by page', async () => {
    const world = await worldAsking({ mode: 'each', approvers: ['board'] })
    const first = await ask(world, { turn: 'a' })
    const second = await ask(world, { turn: 'b' })
    const ids = async (query: string) => {
      const { status, text, body } = await reader.call('GET', `/admin/approvals?${query}`)
      expect(status, text).toBe(200)
      return body.items.map(({ id }: { id: string }) => id)
    }
    expect(await ids(`agent=${world.agent.id}`)).toEqual([second.id, first.id])
    expect(await ids(`principal=${world.principal}&state=pending`)).toEqual([second.id, first.id])
    expect((await answer(first.id, 'deny')).status).toBe(200)
    expect(await ids(`agent=${world.agent.id}&state=denied`)).toEqual([first.id])
    expect(await ids(`agent=${world.agent.id}&state=pending`)).toEqual([second.id])
    expect(await ids(`agent=${newClient('x').id}`)).toEqual([])
    const page = (await reader.call('GET', `/admin/approvals?agent=${world.agent.id}&limit=1`)).body
    expect(page.items).toHaveLength(1)
    expect(await ids(`agent=${world.agent.id}&limit=1&cursor=${encodeURIComponent(page.next_cursor)}`)).toEqual([
      first.id,
    ])
    for (const query of ['state=maybe', 'approver=board', 'agent=A B']) {
      expect((await reader.call('GET', `/admin/approvals?${query}`)).status).toBe(400)
    }
  })

  test('answers for an organization, and the agent gets its one token', async () => {
    const world = await worldAsking({ mode: 'each', approvers: ['board'] })
    const { id, authReqId } = await ask(world)
    const answered = await answer(id, 'approve')
    expect([answered.status, answered.body]).toEqual([200, { id, approver: 'board', state: 'approved' }])
    const shown = (await reader.call('GET', `/admin/approvals/${id}`)).body
    expect(shown).toMatchObject({
      state: 'approved',
      votes: [{ approver: 'board', answered_by: 'admin:admin', answer: 'approve', at: expect.any(Number) }],
    })
    const granted = await poll(world, authReqId)
    expect(granted.status, granted.text).toBe(200)
    expect((await poll(world, authReqId)).body.error).toBe('invalid_grant')
    expect((await reader.call('GET', `/admin/approvals/${id}`)).body.state).toBe('redeemed')
    const { items } = (await reader.call('GET', `/admin/records?agent=${world.agent.id}`)).body
    expect(items.find((item: { kind: string }) => item.kind === 'approval')).toMatchObject({
      ...{
        client: 'admin',
        decision: 'done',
        because: { operation: 'approval.approve', target: id, approver: 'board' },
      },
    })
  })

  test('denies for a service, and the agent is told so', async () => {
    const world = await worldAsking({ mode: 'each', approvers: ['robot'] })
    const { id, authReqId } = await ask(world)
    expect((await answer(id, 'deny')).body).toEqual({ id, approver: 'robot', state: 'denied' })
    expect((await poll(world, authReqId)).body.error).toBe('access_denied')
    expect((await answer(id, 'approve')).status).toBe(409)
  })

  test.each(['approve', 'deny'] as const)('never %ss for a person', async (verb) => {
    const world = await createWorld(server, { delegation: { approval: 'each' } })
    const { id, authReqId } = await ask(world)
    for (const body of [{}, { approver: world.principal }]) {
      const refused = await answer(id, verb, body)
      expect(refused.status, refused.text).toBe(403)
      expect(refused.body.detail).toMatch(/person/)
    }
    expect((await reader.call('GET', `/admin/approvals/${id}`)).body).toMatchObject({ state: 'pending', votes: [] })
    expect((await poll(world, authReqId)).body.error).toBe('authorization_pending')
  })

  test('answers only with the scope that approves', async () => {
    const world = await worldAsking({ mode: 'each', approvers: ['board'] })
    const { id } = await ask(world)
    for (const api of [plain, reader]) {
      const refused = await answer(id, 'approve', {}, api)
      expect(refused.status).toBe(403)
      expect(refused.headers['www-authenticate']).toContain('insufficient_scope')
    }
    // And it opens nothing else.
    expect((await approver.call('GET', '/admin/agents')).status).toBe(403)
    expect((await approver.call('POST', '/admin/principals', { id: 'x1' })).status).toBe(403)
    expect((await reader.call('GET', `/admin/approvals/${id}`)).body.state).toBe('pending')
  })

  test('counts as one of those who are asked, where several must say yes', async () => {
    const world = await worldAsking({ mode: 'each', approvers: ['board', 'robot', 'ann'], threshold: 2 })
    const { id } = await ask(world)
    expect((await answer(id, 'approve')).status).toBe(422)
    expect((await answer(id, 'approve', { approver: 'nobody' })).status).toBe(422)
    expect((await answer(id, 'approve', { approver: world.principal })).status).toBe(422)
    expect((await answer(id, 'approve', { approver: 'ann' })).status).toBe(403)
    expect((await answer(id, 'approve', { approver: 'board' })).body.state).toBe('pending')
    expect((await answer(id, 'approve', { approver: 'board' })).body.state).toBe('pending')
    expect((await answer(id, 'deny', { approver: 'board' })).status).toBe(409)
    expect((await answer(id, 'approve', { approver: 'robot' })).body.state).toBe('approved')
  })

  test('may repeat an answer with its Idempotency-Key, and not change it', async () => {
    const world = await worldAsking({ mode: 'each', approvers: ['board', 'robot'] })
    const { id } = await ask(world)
    const key = { 'Idempotency-Key': `key-${id}` }
    const first = await answer(id, 'approve', { approver: 'board' }, approver, key)
    const again = await answer(id, 'approve', { approver: 'board' }, approver, key)
    expect([first.status, again.status, again.text]).toEqual([200, 200, first.text])
    expect(again.headers['idempotent-replayed']).toBe('true')
    expect((await answer(id, 'approve', { approver: 'robot' }, approver, key)).status).toBe(422)
  })

  test('is told of what is not there, or not written right', async () => {
    expect((await approver.call('GET', '/admin/approvals/apr_none')).status).toBe(404)
    expect((await answer('apr_none', 'approve')).status).toBe(404)
    const world = await worldAsking({ mode: 'each', approvers: ['board'] })
    const { id } = await ask(world)
    expect((await answer(id, 'approve', { force: true })).status).toBe(422)
    expect((await answer(id, 'approve', { approver: 1 })).status).toBe(422)
    expect((await approver.call('PUT', `/admin/approvals/${id}/approve`, {})).status).toBe(405)
  })

  test('cannot answer once the principal, the agent or the delegation was stopped', async () => {
    const world = await worldAsking({ mode: 'each', approvers: ['board'] })
    const { id, authReqId } = await ask(world)
    await plain.call('DELETE', `/admin/delegations/${world.delegation.id}`)
    expect((await reader.call('GET', `/admin/approvals/${id}`)).body.state).toBe('void')
    expect((await answer(id, 'approve')).status).toBe(409)
    expect((await poll(world, authReqId)).status).toBe(400)
  })

  test('shows long, reversed and hidden text whole, as data', async () => {
    const subject = `\u202Egnihton\u202C zero\u200Bwidth <script>alert(1)</script>`
    const body = 'x'.repeat(10_000)
    const world = await createWorld(server, {
      delegation: { approval: { mode: 'each', approvers: ['board'] } },
      action: { type: 'email_send', to: ['bob@example.com'], subject, body },
    })
    const { id } = await ask(world)
    const shown = (await reader.call('GET', `/admin/approvals/${id}`)).body
    expect(shown.action).toMatchObject({ subject, body })
  })
})

test('the description of the API says all of it', async () => {
  const document = await openapiOf(server.issuer)
  const scopes = (path: string, method: string) =>
    document.paths[path][method].security.map(({ token }: { token: string[] }) => token[0]).sort()
  expect(scopes('/admin/approvals', 'get')).toEqual(['admin', 'admin:approve', 'admin:read'])
  expect(scopes('/admin/approvals/{id}/approve', 'post')).toEqual(['admin:approve'])
  expect(scopes('/admin/approvals/{id}/deny', 'post')).toEqual(['admin:approve'])
  expect(described(document)).toBeDefined()
})
