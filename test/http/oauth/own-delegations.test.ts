import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Answer, clientToken, exchange, send, type TestClient } from '../../support/clients.ts'
import { startTestServer, type TestServer } from '../../support/server.ts'
import { createWorld, type World } from '../../support/world.ts'
import { proof } from '../../wire/signing.ts'

let server: TestServer
let world: World
beforeAll(async () => {
  server = await startTestServer()
  world = await createWorld(server)
})
afterAll(() => server.close())

async function ask(client: TestClient, query = '', token?: string): Promise<Answer> {
  const accessToken = token ?? (await clientToken(server.issuer, client)).body.access_token
  const url = `${server.issuer}/delegations`
  return send(`${url}${query}`, {
    headers: [
      ['Authorization', `DPoP ${accessToken}`],
      ['DPoP', proof(client.key, { method: 'GET', htu: url, now: new Date(), accessToken })],
    ],
  })
}

describe('GET /delegations', () => {
  test('shows the agent its own, with a subject token that works', async () => {
    const { status, body, headers } = await ask(world.agent)
    expect(status).toBe(200)
    expect(headers['cache-control']).toBe('no-store')
    expect(body.items).toEqual([
      expect.objectContaining({
        id: world.delegation.id,
        principal: world.principal,
        resource: world.identifier,
        approval: { mode: 'none' },
        delegable: { max_depth: 0 },
      }),
    ])
    const wish = { ...world.wish, subjectToken: body.items[0].subject_token }
    expect((await exchange(server.issuer, world.agent, wish)).status).toBe(200)
  })

  test('pages, newest first, and shows nothing of another agent', async () => {
    const grant = (n: number) =>
      world.api.call('POST', '/admin/delegations', {
        principal: world.principal,
        agent: world.agent.id,
        resource: world.identifier,
        authorization_details: [{ type: 'email_send', to: [`${n}@example.com`], subject: 'x', body: 'y' }],
      })
    for (let n = 0; n < 4; n++) await grant(n)
    await createWorld(server)
    const ids: string[] = []
    for (let cursor: string | undefined = ''; cursor !== undefined; ) {
      const { body }: Answer = await ask(world.agent, `?limit=2${cursor && `&cursor=${cursor}`}`)
      ids.push(...body.items.map(({ id }: { id: string }) => id))
      cursor = body.next_cursor
    }
    expect(ids).toHaveLength(5)
    expect(ids).toEqual([...ids].sort().reverse())
  })

  test('ends a page of large delegations early, and goes on after it', async () => {
    const other = await createWorld(server)
    const bound = { type: 'email_send', to: ['a@example.com'], subject: 'x', body: 'y'.repeat(15_000) }
    for (let n = 0; n < 25; n++) {
      const answer = await other.api.call('POST', '/admin/delegations', {
        principal: other.principal,
        agent: other.agent.id,
        resource: other.identifier,
        authorization_details: [bound, bound, bound, bound],
      })
      expect(answer.status).toBe(201)
    }
    const first = await ask(other.agent, '?limit=200')
    expect(first.text.length).toBeLessThan(1.1 * 1024 * 1024)
    const second = await ask(other.agent, `?limit=200&cursor=${first.body.next_cursor}`)
    expect(first.body.items.length + second.body.items.length).toBe(26)
    expect(second.body.next_cursor).toBeUndefined()
  })

  test('leaves out what was revoked', async () => {
    const other = await createWorld(server)
    await other.api.call('DELETE', `/admin/delegations/${other.delegation.id}`)
    expect((await ask(other.agent)).body.items).toEqual([])
  })

  test('refuses who shows no token of an agent, with a challenge', async () => {
    const bare = await send(`${server.issuer}/delegations`)
    expect([bare.status, bare.headers['www-authenticate']]).toEqual([401, expect.stringMatching(/^DPoP algs="/)])
    const admin = await ask(server.admin)
    expect([admin.status, admin.body.error]).toEqual([401, 'invalid_token'])
    const action = await world.exchange()
    const confused = await ask(world.agent, '', action.body.access_token)
    expect([confused.status, confused.body.error]).toEqual([401, 'invalid_token'])
  })

  test('refuses a suspended agent at once', async () => {
    const other = await createWorld(server)
    const { body } = await clientToken(server.issuer, other.agent)
    await other.api.call('POST', `/admin/agents/${other.agent.id}/suspend`, {})
    expect((await ask(other.agent, '', body.access_token)).status).toBe(401)
  })
})
