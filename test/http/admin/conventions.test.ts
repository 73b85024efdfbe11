import { createHash } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { completeIdempotencyKey, idempotencyKeys } from '../../../src/adapters/prisma/registry/idempotency-keys.ts'
import type { IdempotencyClaim } from '../../../src/admin-ports.ts'
import { type AdminServer, startAdminServer } from './admin-server.ts'

let server: AdminServer
beforeAll(async () => {
  server = await startAdminServer()
})
afterAll(async () => {
  expect(server.faults).toEqual([])
  await server.close()
})

const key = (value: string) => ({ headers: [['Idempotency-Key', value]] as const })

describe('who calls', () => {
  test.each([
    { name: 'no token', headers: [], challenge: /^DPoP algs="/ },
    { name: 'an unknown token', headers: [['Authorization', 'DPoP nobody']], challenge: /error="invalid_token"/ },
    { name: 'a bearer token', headers: [['Authorization', 'Bearer all']], challenge: /error="invalid_token"/ },
    {
      name: 'two tokens',
      headers: [
        ['Authorization', 'DPoP all'],
        ['Authorization', 'DPoP all'],
      ],
      challenge: /error="invalid_token"/,
    },
    {
      name: 'a token with more',
      headers: [['Authorization', 'DPoP all, DPoP all']],
      challenge: /error="invalid_token"/,
    },
  ] as const)('$name -> 401 with a challenge', async ({ headers, challenge }) => {
    for (const body of [undefined, { id: 'x' }]) {
      const refused = await server.call('/admin/agents', { token: '', headers, body })
      expect(refused.status).toBe(401)
      expect(refused.headers['www-authenticate']).toMatch(challenge)
      expect(refused.headers['content-type']).toContain('application/problem+json')
      expect(refused.body).toMatchObject({ type: 'about:blank', title: 'Unauthorized', status: 401 })
      expect(refused.body.request_id).toBe(refused.headers['x-request-id'])
    }
  })
  test('a stranger is told no more than that, whatever he sends', async () => {
    const refused = await server.call('/admin/agents', {
      token: '',
      raw: '{',
      headers: [['Content-Type', 'text/plain']],
    })
    expect(refused.status).toBe(401)
  })
})

describe('what is not there', () => {
  test.each([
    '/admin/agents/nobody',
    '/admin/agents/NOBODY',
    '/admin/agents/%00',
    '/admin/agents/%',
    '/admin/delegations/x',
    '/admin/agents/%20',
  ])('%s -> 404', async (path) => {
    expect((await server.call(path)).status).toBe(404)
  })
  test.each([
    '/admin',
    '/admin/',
    '/admin/agents/',
    '/admin/Agents',
    '/admin/agents/a/enrolments',
    '/admin/clients/a/suspend',
    '/admin/principals/a/retire',
  ])('the path %s -> 404', async (path) => {
    expect((await server.call(path)).status).toBe(404)
    expect((await server.call(path, { method: 'POST', body: {} })).status).toBe(404)
  })
  test('a method that a path does not know -> 405 with Allow', async () => {
    const refused = await server.call('/admin/agents', { method: 'PUT', body: {} })
    expect([refused.status, refused.headers.allow]).toEqual([405, 'POST, GET'])
  })
})

describe('bodies', () => {
  const send = (raw: string | Uint8Array, type = 'application/json', path = '/admin/agents') =>
    server.call(path, { method: 'POST', raw, headers: [['Content-Type', type]] })
  test.each([
    ['no JSON', '{'],
    ['two members of one name', '{"id":"a","id":"b"}'],
    ['a prototype', '{"__proto__":{}}'],
    ['a lone surrogate', '{"id":"\\ud800"}'],
    ['U+0000', '{"id":"\\u0000"}'],
    ['beyond 2^53', '{"id":9007199254740993}'],
    ['invalid UTF-8', Buffer.from('{"id":"\xff"}', 'latin1')],
    ['text after it', '{} {}'],
    ['a byte order mark', '\ufeff{}'],
    ['20,000 levels', `{"id":${'['.repeat(20_000)}`],
  ])('%s -> 400', async (_, raw) => {
    const refused = await send(raw)
    expect(refused.status).toBe(400)
    expect(refused.headers['content-type']).toContain('application/problem+json')
  })
  test.each(['[]', 'null', '"a"', '7'])('%s is JSON and no object -> 422', async (raw) => {
    expect((await send(raw)).status).toBe(422)
  })
  test('64 KiB are read, one byte more -> 413', async () => {
    const ofLength = (length: number) => `{"id":"a"${' '.repeat(length - 10)}}`
    expect((await send(ofLength(64 * 1024), 'application/json', '/admin/principals')).status).toBe(201)
    expect((await send(ofLength(64 * 1024 + 1))).status).toBe(413)
    expect((await send('x'.repeat(1024 * 1024))).status).toBe(413)
  })
  test.each([
    'text/plain',
    'application/x-www-form-urlencoded',
    'application/json; charset=latin1',
    'application/merge-patch+json',
    'application/jsonx',
    '',
  ])('POST of type %j -> 415', async (type) => {
    expect((await send('{"id":"b"}', type)).status).toBe(415)
  })
  test('a compressed body -> 415', async () => {
    const headers = [['Content-Encoding', 'gzip']] as const
    expect((await server.call('/admin/agents', { body: { id: 'b' }, headers })).status).toBe(415)
  })
  test('a merge patch may say that it is one (RFC 7396 §4)', async () => {
    await server.call('/admin/agents', { body: { id: 'typed', description: 'd' } })
    const headers = [
      ['Content-Type', 'application/merge-patch+json'],
      ['If-Match', '*'],
    ] as const
    const done = await server.call('/admin/agents/typed', { method: 'PATCH', body: { description: null }, headers })
    expect(done.status).toBe(200)
    expect(done.body).not.toHaveProperty('description')
  })
  test('all members that are wrong are told at once, and no value is repeated', async () => {
    const refused = await server.call('/admin/agents', {
      body: { id: 'SECRET', name: 'SECRET\n', owner: '', nope: 'SECRET' },
    })
    expect(refused.status).toBe(422)
    const members = refused.body.errors.map(({ member }: { member: string }) => member)
    expect(members.sort()).toEqual(['id', 'name', 'nope', 'owner'])
    expect(refused.text).not.toContain('SECRET')
  })
  test('a member name that is no name is shown as harmless text', async () => {
    const refused = await server.call('/admin/agents', {
      body: { id: 'x', '<script>"\u0007': 1, ['n'.repeat(5_000)]: 1 },
    })
    expect(refused.status).toBe(422)
    expect(refused.text).not.toContain('<script>')
    expect(refused.text.length).toBeLessThan(2_000)
  })
})

describe('lists', () => {
  const ids = Array.from({ length: 45 }, (_, n) => `paged-${String(n).padStart(3, '0')}`)
  const pages = async (path: string, limit: number) => {
    const found: string[] = []
    let [cursor, count] = ['', 0]
    do {
      const page = await server.call(
        `${path}${path.includes('?') ? '&' : '?'}limit=${limit}${cursor && `&cursor=${cursor}`}`,
      )
      expect(page.status, page.text).toBe(200)
      expect(page.body.items.length).toBeLessThanOrEqual(limit)
      found.push(...page.body.items.map(({ id }: { id: string }) => id))
      cursor = page.body.next_cursor ?? ''
      count++
    } while (cursor !== '' && count < 100)
    return found
  }
  beforeAll(async () => {
    for (const id of ids) await server.call('/admin/principals', { body: { id } })
  })
  test.each([1, 7, 15, 45, 200])('pages of %d hold every item once, in order', async (limit) => {
    const found = (await pages('/admin/principals', limit)).filter((id) => id.startsWith('paged-'))
    expect(found).toEqual(ids)
  })
  test('an item that comes in between moves none of the others', async () => {
    const first = await server.call('/admin/records?limit=10')
    await server.call('/admin/principals', { body: { id: 'in-between' } })
    const second = await server.call(`/admin/records?limit=10&cursor=${first.body.next_cursor}`)
    const all = [...first.body.items, ...second.body.items].map(({ id }) => id)
    expect(new Set(all).size).toBe(20)
    expect(all).toEqual([...all].sort().reverse())
  })
  test('a cursor is good for its own list and filters only, unchanged', async () => {
    const { next_cursor: cursor } = (await server.call('/admin/principals?limit=3')).body
    const at = async (query: string) => (await server.call(query)).status
    expect(await at(`/admin/principals?cursor=${cursor}`)).toBe(200)
    expect(await at(`/admin/agents?cursor=${cursor}`)).toBe(400)
    for (let i = 0; i < cursor.length; i += 3) {
      const changed = `${cursor.slice(0, i)}${cursor[i] === 'A' ? 'B' : 'A'}${cursor.slice(i + 1)}`
      expect(await at(`/admin/principals?cursor=${changed}`)).toBe(400)
    }
    for (const bad of ['x', `${cursor}A`, `${cursor}=`, cursor.slice(0, -1), '', 'A'.repeat(1_025)]) {
      expect(await at(`/admin/principals?cursor=${bad}`), bad).toBe(400)
    }
    const filtered = (await server.call('/admin/records?limit=3&decision=done')).body.next_cursor
    expect(await at(`/admin/records?cursor=${filtered}`)).toBe(400)
    expect(await at(`/admin/records?decision=done&cursor=${filtered}`)).toBe(200)
  })
  test.each([
    'limit=0',
    'limit=201',
    'limit=-1',
    'limit=1.5',
    'limit=ten',
    'limit=1&limit=2',
    'nope=1',
    'limit=',
    '__proto__=1',
    `limit=1&x=${'y'.repeat(9_000)}`,
  ])('the query %s -> 400', async (query) => {
    expect((await server.call(`/admin/principals?${query}`)).status).toBe(400)
  })
  test('a path that is no list takes no query', async () => {
    expect((await server.call('/admin/principals/paged-000?x=1')).status).toBe(400)
    expect((await server.call('/admin/principals?x=1', { body: { id: 'q' } })).status).toBe(400)
  })
})

describe('Idempotency-Key', () => {
  test('the same request again -> the same answer to the byte, and one change', async () => {
    const once = { body: { id: 'once', description: 'b', name: 'a' }, ...key('k-1') }
    const first = await server.call('/admin/agents', once)
    const second = await server.call('/admin/agents', once)
    expect([first.status, second.status]).toEqual([201, 201])
    expect(second.text).toBe(first.text)
    expect(second.headers.location).toBe(first.headers.location)
    expect(second.headers['idempotent-replayed']).toBe('true')
    expect(first.headers['idempotent-replayed']).toBeUndefined()
  })
  test('another body, or another path, with the key -> 422', async () => {
    expect((await server.call('/admin/agents', { body: { id: 'twice' }, ...key('k-1') })).status).toBe(422)
    expect(
      (
        await server.call('/admin/agents/once/suspend', {
          body: { id: 'once', description: 'b', name: 'a' },
          ...key('k-1'),
        })
      ).status,
    ).toBe(422)
  })
  test('keys are each administrator’s own', async () => {
    const other = await server.call('/admin/agents', { body: { id: 'theirs' }, token: 'plain', ...key('k-1') })
    expect(other.status).toBe(201)
  })
  test('ten at once -> one change; the others get its answer or a 409', async () => {
    const raced = { body: { id: 'raced' }, ...key('k-2') }
    const all = await Promise.all(Array.from({ length: 10 }, () => server.call('/admin/agents', raced)))
    expect(new Set(all.map(({ status }) => status)).has(201)).toBe(true)
    for (const { status, text } of all) {
      if (status === 201) expect(JSON.parse(text).id).toBe('raced')
      else expect(JSON.parse(text)).toMatchObject({ status: 409, detail: expect.stringContaining('in progress') })
    }
    expect(
      all.filter(({ status, headers }) => status === 201 && headers['idempotent-replayed'] === undefined),
    ).toHaveLength(1)
  })
  test('a request that was refused gives its key back', async () => {
    expect((await server.call('/admin/agents', { body: { id: 'once' }, ...key('k-3') })).status).toBe(409)
    expect((await server.call('/admin/agents', { body: { id: 'k3' }, ...key('k-3') })).status).toBe(201)
  })
  test('a key whose request died is free after a while, and busy before', async () => {
    const request = { body: { id: 'revived' }, ...key('k-4') }
    const bytes = JSON.stringify(request.body)
    const hash = createHash('sha256').update(`POST /admin/agents?\n${bytes}`).digest('base64url')
    const diedSecondsAgo = (seconds: number) =>
      server.database.query(
        `INSERT INTO idempotency_key (client, key, request_hash, created_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT (client, key) DO UPDATE SET created_at = excluded.created_at`,
        ['the-all-one', 'k-4', hash, new Date(Date.now() - seconds * 1_000)],
      )
    await diedSecondsAgo(20)
    expect((await server.call('/admin/agents', request)).status).toBe(409)
    await diedSecondsAgo(31)
    expect((await server.call('/admin/agents', request)).status).toBe(201)
  })
  test('whoever was thought dead changes nothing once another has taken the key', async () => {
    const { prisma } = server.database
    const keys = idempotencyKeys(prisma)
    const request = { client: 'c', key: 'k', requestHash: 'h' }
    const [start, later] = [new Date(), new Date(Date.now() + 31_000)]
    const first = (await keys.claim(request, start)) as IdempotencyClaim
    const second = (await keys.claim(request, later)) as IdempotencyClaim
    const answer = { status: 201, body: '{}', location: undefined }
    await keys.release(first)
    expect(await completeIdempotencyKey(prisma, first, answer)).toBe(false)
    expect(await completeIdempotencyKey(prisma, second, answer)).toBe(true)
    expect(await completeIdempotencyKey(prisma, second, answer)).toBe(false)
    expect(await keys.claim(request, later)).toEqual(answer)
  })
  test('after a day the key is forgotten', async () => {
    await server.database.query("UPDATE idempotency_key SET created_at = now() - interval '25 hours' WHERE key = 'k-1'")
    const again = await server.call('/admin/agents', {
      body: { id: 'once', description: 'b', name: 'a' },
      ...key('k-1'),
    })
    expect(again.status).toBe(409)
    expect(again.body.detail).toContain('id')
  })
  test.each([['é'], ['x'.repeat(256)], ['']])('the key %j -> 400', async (value) => {
    expect(
      (await server.call('/admin/agents', { body: { id: 'kk' }, ...key(Buffer.from(value).toString('latin1')) }))
        .status,
    ).toBe(400)
  })
  test('two keys -> 400', async () => {
    const headers = [
      ['Idempotency-Key', 'a'],
      ['Idempotency-Key', 'a'],
    ] as const
    expect((await server.call('/admin/agents', { body: { id: 'kk' }, headers })).status).toBe(400)
  })
})
