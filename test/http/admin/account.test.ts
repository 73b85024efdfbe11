import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { systemIds, uuidV7 } from '../../../src/adapters/clock.ts'
import { type AdminServer, newJwk, startAdminServer } from './admin-server.ts'

let server: AdminServer
beforeAll(async () => {
  server = await startAdminServer()
})
afterAll(async () => {
  expect(server.faults).toEqual([])
  await server.close()
})

const post = (path: string, body: object = {}) => server.call(path, { method: 'POST', body })

/** The record of an issuance, as the commit writes one. */
async function issue(jti: string): Promise<void> {
  await server.database.query(
    `INSERT INTO record (id, kind, decision, client, agent, principal, resource, action_type, action, jti, token_expires_at)
     VALUES ($1::uuid, 'action_token', 'issued', 'planner', 'planner', 'alice', 'https://mail.example', 'email_send',
       '{"type":"email_send"}', $2, now() + interval '1 minute')`,
    [systemIds.recordId(), jti],
  )
}

describe('records', () => {
  test('are filtered, newest first, and show the action', async () => {
    await post('/admin/agents', { id: 'planner' })
    await issue('jti-1')
    const { items } = (await server.call('/admin/records?agent=planner&type=email_send&decision=issued')).body
    expect(items).toHaveLength(1)
    expect(items[0]).toMatchObject({ jti: 'jti-1', principal: 'alice', action: { type: 'email_send' } })
    expect(items[0]).not.toHaveProperty('refusal')
    const filtered = async (query: string) => (await server.call(`/admin/records?${query}`)).body.items.length
    expect(await filtered('principal=alice')).toBe(1)
    expect(await filtered('principal=bob')).toBe(0)
    expect(await filtered(`resource=${encodeURIComponent('https://mail.example')}`)).toBe(1)
    const at = encodeURIComponent(items[0].at)
    expect(await filtered(`after=${at}&agent=planner`)).toBe(0)
    expect(await filtered(`before=${at}&agent=planner`)).toBe(1)
    expect((await server.call('/admin/records?after=yesterday')).status).toBe(400)
    expect((await server.call('/admin/records?decision=maybe')).status).toBe(400)
  })
  test('of a time far back are found, whatever the clocks of that time said', async () => {
    const MINUTE = 60_000
    const long = Date.parse('2020-02-02T12:00:00Z')
    // Ids are made by one clock, times of records by another.
    for (const [n, minutesApart] of [0, 59, -59].entries()) {
      const id = uuidV7(long + minutesApart * MINUTE, randomBytes(10).toString('hex'))
      await server.database.query(
        `INSERT INTO record (id, at, kind, decision, client, agent) VALUES ($1::uuid, $2, 'admin', 'done', 'long-ago', 'long-ago')`,
        [id, new Date(long + n)],
      )
    }
    const listed = async (query: string) => (await server.call(`/admin/records?${query}`)).body
    const between = (after: number, before: number) => `agent=long-ago&after=${after / 1_000}&before=${before / 1_000}`
    expect((await listed(between(long - 1, long + 3))).items).toHaveLength(3)
    expect((await listed(between(long, long + 2))).items).toHaveLength(1)
    expect((await listed(between(long + 2, long + MINUTE))).items).toHaveLength(0)
    expect((await listed(between(0, Date.parse('9999-01-01T00:00:00Z')))).items).toHaveLength(3)
    const first = await listed(`${between(long - 1, long + 3)}&limit=2`)
    const second = await listed(`${between(long - 1, long + 3)}&limit=2&cursor=${first.next_cursor}`)
    expect([first.items.length, second.items.length]).toEqual([2, 1])
  })
  test('hold no key, no token and no body', async () => {
    const jwk = newJwk()
    await post('/admin/agents', { id: 'secretive', keys: [{ jwk }] })
    const { text } = await server.call('/admin/records?agent=secretive')
    expect(text).toContain('agent.register')
    expect(text).not.toContain(jwk.x)
  })
  test('cannot be changed over this door', async () => {
    expect((await server.call('/admin/records', { method: 'DELETE' })).status).toBe(405)
  })
})

describe('withdrawing a token', () => {
  test('by its jti, once or twice, and not one that was never issued', async () => {
    await issue('jti-2')
    const revoked = await post('/admin/tokens/jti-2/revoke', { reason: 'leaked' })
    expect(revoked.status, revoked.text).toBe(200)
    expect(revoked.body).toMatchObject({ jti: 'jti-2', status: 'revoked' })
    expect((await post('/admin/tokens/jti-2/revoke')).status).toBe(200)
    const rows = await server.database.query('SELECT revoked_by FROM revoked_token WHERE jti = $1', ['jti-2'])
    expect(rows).toEqual([{ revoked_by: 'admin:the-all-one' }])
    expect((await post('/admin/tokens/nope/revoke')).status).toBe(404)
    const [record] = (await server.call('/admin/records?agent=planner')).body.items
    expect(record).toMatchObject({
      kind: 'admin',
      principal: 'alice',
      because: { operation: 'token.revoke', target: 'jti-2' },
    })
  })
})

describe('signing keys', () => {
  const keys = async () => (await server.call('/admin/signing-keys')).body.items
  const statuses = async () => (await keys()).map(({ status }: { status: string }) => status)

  test('rotation publishes at once and signs after ten minutes', async () => {
    expect(await statuses()).toEqual(['active'])
    const raised = server.generationsRaised()
    const rotated = await post('/admin/signing-keys/rotate')
    expect(rotated.status, rotated.text).toBe(200)
    expect(rotated.body.items.map(({ status }: { status: string }) => status)).toEqual(['published', 'active'])
    expect(server.generationsRaised()).toBe(raised + 1)
    const [next, present] = rotated.body.items
    expect(next.activates_at - next.created_at).toBe(600)
    expect(present.retired_at).toBe(next.activates_at)
    expect(server.keys.active().kid).toBe(present.kid)
    expect(server.keys.published().map(({ kid }) => kid)).toContain(next.kid)
    server.now.advanceSeconds = 601
    expect(await statuses()).toEqual(['active', 'retired'])
    expect(server.keys.active().kid).toBe(next.kid)
    server.now.advanceSeconds = 0
  })
  test('while one waits, another rotation -> 409; of five at once none slips in', async () => {
    const all = await Promise.all([1, 2, 3, 4, 5].map(() => post('/admin/signing-keys/rotate')))
    expect(all.map(({ status }) => status)).toEqual([409, 409, 409, 409, 409])
    expect(await keys()).toHaveLength(2)
  })
  test('of five first rotations at once one is done', async () => {
    server.now.advanceSeconds = 700
    const all = await Promise.all([1, 2, 3, 4, 5].map(() => post('/admin/signing-keys/rotate')))
    expect(all.map(({ status }) => status).sort()).toEqual([200, 409, 409, 409, 409])
    server.now.advanceSeconds = 0
  })
  test('compromised: the others verify nothing from now on, the new one signs', async () => {
    const old = server.keys.active()
    const rotated = await post('/admin/signing-keys/rotate', { compromised: true, reason: 'stolen' })
    expect(rotated.status, rotated.text).toBe(200)
    expect(await statuses()).toEqual(expect.arrayContaining(['active', 'compromised']))
    expect((await statuses()).filter((status: string) => status === 'active')).toHaveLength(1)
    expect(server.keys.verificationKey(old.kid)).toBeUndefined()
    expect(server.keys.active().kid).not.toBe(old.kid)
    expect(server.keys.published()).toHaveLength(1)
    expect(JSON.stringify(await keys())).not.toMatch(/"d"|sealed/)
  })
  test.each([{ compromised: 'yes' }, { kid: 'x' }, { compromised: null }])('%j -> 422', async (body) => {
    expect((await post('/admin/signing-keys/rotate', body)).status).toBe(422)
  })
})
