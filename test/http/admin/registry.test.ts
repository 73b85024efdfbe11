import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type AdminServer, definition, newJwk, startAdminServer } from './admin-server.ts'

let server: AdminServer
beforeAll(async () => {
  server = await startAdminServer()
})
afterAll(async () => {
  expect(server.faults).toEqual([])
  await server.close()
})

const post = (path: string, body: unknown = {}, token = 'all') => server.call(path, { method: 'POST', body, token })
const patch = (path: string, body: unknown, tag = '"1"') =>
  server.call(path, { method: 'PATCH', body, headers: [['If-Match', tag]] })

/** A body that is right for each kind, given an id. */
const KINDS: Record<string, (id: string) => Record<string, unknown>> = {
  '/admin/agents': (id) => ({ id, keys: [{ jwk: newJwk() }] }),
  '/admin/principals': (id) => ({ id, kind: 'organization', email: 'a@example.com' }),
  '/admin/resources': (id) => ({ id, identifier: `https://${id}.example/api`, keys: [{ jwk: newJwk() }] }),
  '/admin/action-types': definition,
  '/admin/clients': (id) => ({ id, scope: 'admin:read', keys: [{ jwk: newJwk() }] }),
}
const PATHS = Object.keys(KINDS)
const NAMED = PATHS.map((path, n) => ({ path, id: `common-${n}`, body: KINDS[path]! }))

describe.each(NAMED)('$path', ({ path, id, body }) => {
  const immutable = path.endsWith('action-types') ? 'type' : 'id'

  test('what is registered is shown under its Location, with a strong ETag', async () => {
    const made = await post(path, body(id))
    expect(made.status, made.text).toBe(201)
    expect(made.headers.location).toBe(`${path}/${id}`)
    expect(made.headers.etag).toBe('"1"')
    const read = await server.call(`${path}/${id}`, { token: 'reader' })
    expect(read.status).toBe(200)
    expect(read.body).toEqual(made.body)
    expect(read.headers.etag).toBe('"1"')
    expect(read.headers['cache-control']).toBe('no-store')
  })

  test('the same id again -> 409, and nothing of it is left', async () => {
    const again = await post(path, body(id))
    expect(again.status).toBe(409)
    expect(again.headers['content-type']).toContain('application/problem+json')
    expect(again.body.errors[0].member).toBe(immutable)
  })

  test('a patch without If-Match -> 428, a stale one -> 412, a right one makes the next version', async () => {
    const name = path.endsWith('action-types') ? { title: 'New' } : { name: 'New' }
    expect((await server.call(`${path}/${id}`, { method: 'PATCH', body: name })).status).toBe(428)
    expect((await patch(`${path}/${id}`, name, '"99"')).status).toBe(412)
    expect((await patch(`${path}/${id}`, name, 'W/"1"')).status).toBe(412)
    expect((await patch(`${path}/${id}`, name, '1')).status).toBe(400)
    const done = await patch(`${path}/${id}`, name, '"7", "1"')
    expect(done.status, done.text).toBe(200)
    expect(done.body).toMatchObject(name)
    expect(done.headers.etag).toBe('"2"')
  })

  test('of ten patches on one version one wins', async () => {
    const before = await server.call(`${path}/${id}`)
    const tag = String(before.headers.etag)
    const change = (n: number) => (path.endsWith('action-types') ? { title: `t${n}` } : { name: `n${n}` })
    const all = await Promise.all(Array.from({ length: 10 }, (_, n) => patch(`${path}/${id}`, change(n), tag)))
    expect(all.map(({ status }) => status).sort()).toEqual([200, ...Array(9).fill(412)])
  })

  test('of ten registrations of one id one wins', async () => {
    const all = await Promise.all(Array.from({ length: 10 }, () => post(path, body(`${id}-raced`))))
    expect(all.map(({ status }) => status).sort()).toEqual([201, ...Array(9).fill(409)])
  })

  test('a patch of what cannot be changed -> 422 that names it', async () => {
    const tag = String((await server.call(`${path}/${id}`)).headers.etag)
    const refused = await patch(`${path}/${id}`, { [immutable]: 'other' }, tag)
    expect(refused.status).toBe(422)
    expect(refused.body.errors[0].member).toBe(immutable)
    const unknown = await patch(`${path}/${id}`, { approval: 'each' }, tag)
    expect(unknown.status).toBe(422)
    expect(unknown.body.errors[0].member).toBe('approval')
  })

  test.each(['remaining', 'approval', 'redirect_uris', 'toString'])(
    'a member that is not built, %s -> 422',
    async (member) => {
      const refused = await post(path, { ...body(`${id}-x`), [member]: {} })
      expect(refused.status).toBe(422)
      expect(refused.body.errors).toContainEqual(expect.objectContaining({ member }))
      expect((await server.call(`${path}/${id}-x`)).status).toBe(404)
    },
  )

  test('a reader reads and changes nothing', async () => {
    expect((await server.call(path, { token: 'reader' })).status).toBe(200)
    const refused = await post(path, body(`${id}-r`), 'reader')
    expect(refused.status).toBe(403)
    expect(refused.headers['www-authenticate']).toMatch(/^DPoP error="insufficient_scope"/)
  })
})

describe.each(NAMED.filter(({ path }) => path !== '/admin/clients'))(
  'suspending at $path',
  ({ path, id: common, body }) => {
    const id = `${common}-stopped`
    test('suspend, again, resume: idempotent, versioned, recorded', async () => {
      await post(path, body(id))
      const suspended = await post(`${path}/${id}/suspend`, { reason: 'odd behaviour' })
      expect(suspended.status, suspended.text).toBe(200)
      expect(suspended.body).toMatchObject({ status: 'suspended', reason: 'odd behaviour' })
      expect(suspended.headers.etag).toBe('"2"')
      const again = await server.call(`${path}/${id}/suspend`, { method: 'POST' })
      expect([again.status, again.headers.etag]).toEqual([200, '"2"'])
      const resumed = await post(`${path}/${id}/resume`)
      expect(resumed.body).toMatchObject({ status: 'active' })
      expect(resumed.body.reason).toBeUndefined()
      expect(resumed.headers.etag).toBe('"3"')
      const { body: records } = await server.call('/admin/records?limit=200')
      const operations = records.items
        .filter((record: { because: { target: string } }) => record.because.target === id)
        .map((record: { because: { operation: string } }) => record.because.operation.split('.')[1])
      expect(operations).toEqual(['resume', 'suspend', 'register'])
    })
    test('what is not there -> 404; a reason that is too long -> 422', async () => {
      expect((await post(`${path}/nobody/suspend`)).status).toBe(404)
      expect((await post(`${path}/${id}/suspend`, { reason: 'x'.repeat(501) })).status).toBe(422)
      expect((await post(`${path}/${id}/suspend`, { reason: 'x'.repeat(500) })).status).toBe(200)
    })
  },
)

describe('what is retired stays retired', () => {
  test.each([
    {
      path: '/admin/agents/retiring',
      method: 'POST',
      verb: '/retire',
      make: () => post('/admin/agents', { id: 'retiring' }),
    },
    {
      path: '/admin/resources/gone',
      method: 'DELETE',
      verb: '',
      make: () => post('/admin/resources', { id: 'gone', identifier: 'https://gone.example' }),
    },
  ])('$path', async ({ path, method, verb, make }) => {
    await make()
    expect((await server.call(path + verb, { method })).body).toMatchObject({ status: 'retired' })
    expect((await server.call(path + verb, { method })).status).toBe(200)
    expect((await post(`${path}/resume`)).status).toBe(409)
    expect((await post(`${path}/suspend`)).status).toBe(409)
    expect((await patch(path, { name: 'x' }, '*')).status).toBe(409)
    expect((await post(`${path}/keys`, { jwk: newJwk() })).status).toBe(409)
    expect((await make()).status).toBe(409)
  })
})

describe('ids', () => {
  test('agents, principals, resources and clients share one namespace', async () => {
    const id = 'one-for-all'
    expect((await post('/admin/principals', { id })).status).toBe(201)
    for (const path of ['/admin/agents', '/admin/resources', '/admin/clients']) {
      expect((await post(path, KINDS[path]!(id))).status, path).toBe(409)
    }
  })
  test.each(['', 'A', 'a b', 'a/b', 'é', 'a'.repeat(256), 7, null])('%j -> 422', async (id) => {
    expect((await post('/admin/agents', { id })).status).toBe(422)
  })
  test('255 characters are an id', async () => {
    const id = `${'a'.repeat(251)}.-_9`
    expect((await post('/admin/agents', { id })).status).toBe(201)
    expect((await server.call(`/admin/agents/${id}`)).status).toBe(200)
  })
})
