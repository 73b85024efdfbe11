import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Browser } from '../../support/browser.ts'
import { type People, peopleOf } from '../../support/people.ts'
import { startTestServer, type TestServer } from '../../support/server.ts'

let server: TestServer
let people: People
let alice: string
beforeAll(async () => {
  server = await startTestServer({ failedAuthentications: { perSecond: 0.001, burst: 60 } })
  people = await peopleOf(server)
  alice = await people.register({ name: 'Alice' })
})
afterAll(() => server.close())

const LOGIN = '__Host-writ_login'
const linksOf = (id: string) => `/admin/principals/${id}/sign-in-links`

describe('a sign-in link', () => {
  test('asks first, however often it is looked at, and then signs in once', async () => {
    const { id, path } = await people.linkFor(alice)
    const browser = new Browser(server.issuer)
    for (const method of ['GET', 'HEAD', 'GET']) expect((await browser.get(path, { method })).status).toBe(200)
    const page = await browser.get(path)
    expect(page.text).toContain('Sign in as Alice')
    expect(browser.cookies.has(LOGIN)).toBe(false)

    const answer = await browser.post(path)
    expect([answer.status, answer.headers.location]).toEqual([303, '/me'])
    const cookie = browser.cookies.get(LOGIN)
    expect(Buffer.from(cookie?.value ?? '', 'base64url').length).toBeGreaterThanOrEqual(32)
    expect([...(cookie?.attributes ?? [])].sort()).toEqual([
      ['httponly', ''],
      ['max-age', '604800'],
      ['path', '/'],
      ['samesite', 'Lax'],
      ['secure', ''],
    ])
    expect((await browser.get('/me/logins')).status).toBe(200)
    expect((await people.api.call('GET', linksOf(alice))).body.items[0]).toMatchObject({ id, status: 'used' })

    const again = await new Browser(server.issuer).post(path)
    expect([again.status, again.headers['set-cookie']]).toEqual([403, undefined])
    expect(again.text).toContain('unknown, used or expired')
  })

  test('of many who use it at once, one is signed in', async () => {
    const { path } = await people.linkFor(alice)
    const browsers = Array.from({ length: 8 }, () => new Browser(server.issuer))
    const answers = await Promise.all(browsers.map((browser) => browser.post(path)))
    expect(answers.map(({ status }) => status).sort()).toEqual([303, ...Array.from({ length: 7 }, () => 403)])
    expect(browsers.filter((browser) => browser.cookies.has(LOGIN))).toHaveLength(1)
  })

  test('is for 15 minutes unless something else is said, never longer than a day, and over when it is over', async () => {
    const minutes = async (body: object) => {
      const { body: made } = await people.api.call('POST', linksOf(alice), body)
      return (made.expires_at - Date.now() / 1_000) / 60
    }
    expect(await minutes({})).toBeCloseTo(15, 0)
    expect(await minutes({ expires_in: 3_600 })).toBeCloseTo(60, 0)
    expect((await people.api.call('POST', linksOf(alice), { expires_in: 86_401 })).status).toBe(422)
    const { path } = await people.linkFor(alice, { expires_in: 1 })
    await new Promise((resolve) => setTimeout(resolve, 1_100))
    const browser = new Browser(server.issuer)
    expect((await browser.get(path)).status).toBe(403)
    expect((await browser.post(path)).status).toBe(403)
    expect((await people.api.call('GET', linksOf(alice))).body.items[0].status).toBe('expired')
  })

  test('can be withdrawn', async () => {
    const one = await people.linkFor(alice)
    const other = await people.linkFor(alice)
    expect((await people.api.call('DELETE', `${linksOf(alice)}/${one.id}`)).body).toEqual({ withdrawn: [one.id] })
    expect((await new Browser(server.issuer).post(one.path)).status).toBe(403)
    expect((await people.api.call('DELETE', linksOf(alice))).body.withdrawn).toContain(other.id)
    expect((await new Browser(server.issuer).post(other.path)).status).toBe(403)
    expect((await people.api.call('DELETE', `${linksOf(alice)}/sil_none`)).status).toBe(404)
  })

  test('is good for nothing while its principal is suspended', async () => {
    const bob = await people.register()
    const { path } = await people.linkFor(bob)
    await people.api.call('POST', `/admin/principals/${bob}/suspend`, {})
    const browser = new Browser(server.issuer)
    expect([(await browser.get(path)).status, (await browser.post(path)).status]).toEqual([403, 403])
    expect((await people.api.call('POST', linksOf(bob), {})).status).toBe(409)
    await people.api.call('POST', `/admin/principals/${bob}/resume`, {})
    expect((await browser.post(path)).status).toBe(303)
  })

  test('is made for persons and organizations, and for nobody else', async () => {
    const acme = await people.register({ kind: 'organization' })
    expect((await new Browser(server.issuer).post((await people.linkFor(acme)).path)).status).toBe(303)
    const robot = await people.register({ kind: 'service' })
    const answer = await people.api.call('POST', linksOf(robot), {})
    expect([answer.status, answer.body.detail]).toEqual([
      409,
      'a service does not sign in; persons and organizations do',
    ])
    expect((await people.api.call('POST', linksOf('nobody'), {})).status).toBe(404)
  })

  test('the secret is told once: no list, no record and no repeat has it', async () => {
    const headers = [['Idempotency-Key', 'one-link']] as const
    const first = await people.api.call('POST', linksOf(alice), {}, headers)
    const code = first.body.url.split('/').at(-1)
    expect(first.body.url).toBe(`${server.issuer}/sign-in/link/${code}`)
    expect(Buffer.from(code, 'base64url').length).toBeGreaterThanOrEqual(16)
    const again = await people.api.call('POST', linksOf(alice), {}, headers)
    expect([again.status, again.text.includes(code)]).toEqual([409, false])
    expect(again.body.detail).toContain(first.body.id)
    const browser = new Browser(server.issuer)
    await browser.post(`/sign-in/link/${code}`)
    const secret = browser.cookies.get(LOGIN)?.value ?? 'none'
    for (const path of [linksOf(alice), `/admin/records?principal=${alice}`]) {
      const { text } = await people.api.call('GET', path)
      expect(text).not.toContain(code)
      expect(text).not.toContain(secret)
    }
    const { items } = (await people.api.call('GET', `/admin/records?principal=${alice}&limit=2`)).body
    expect(items[0]).toMatchObject({
      ...{ kind: 'principal', decision: 'done', principal: alice },
      because: { operation: 'login.begin', method: 'link', by: first.body.id },
    })
  })

  test('its page is shown in no frame, kept by nobody, and its address told to no one', async () => {
    const { path } = await people.linkFor(alice)
    const { headers } = await new Browser(server.issuer).get(path)
    expect(headers['content-security-policy']).toContain("frame-ancestors 'none'")
    expect(headers['content-security-policy']).toContain("default-src 'none'")
    expect(headers['x-frame-options']).toBe('DENY')
    expect(headers['cache-control']).toBe('no-store')
    // The origin alone, never the path: neither to others nor to this server.
    expect(headers['referrer-policy']).toBe('strict-origin')
  })

  test.each([
    [
      'another site, as the browser says',
      [
        ['Origin', 'https://evil.example'],
        ['Sec-Fetch-Site', 'cross-site'],
      ],
    ],
    ['another origin of the same site', [['Sec-Fetch-Site', 'same-site']]],
    ['another port of this host', [['Origin', 'http://localhost:1']]],
    ['nobody knows where', []],
    ['a page that hides where it is from', [['Origin', 'null']]],
    [
      'two origins',
      [
        ['Origin', 'ORIGIN'],
        ['Origin', 'https://evil.example'],
      ],
    ],
    ['a browser that was typed into', [['Sec-Fetch-Site', 'none']]],
  ] as const)('is not used up by a form of %s', async (_, from) => {
    const { path } = await people.linkFor(alice)
    const browser = new Browser(server.issuer)
    const sent = from.map(([name, value]) => [name, value === 'ORIGIN' ? server.issuer : value] as const)
    const answer = await browser.post(path, {}, { from: sent })
    expect([answer.status, browser.cookies.has(LOGIN)]).toEqual([403, false])
    expect((await browser.post(path)).status).toBe(303)
  })

  test('a page that tells no referrer may still send its form, as the browser vouches for it', async () => {
    const from = [
      ['Origin', 'null'],
      ['Sec-Fetch-Site', 'same-origin'],
    ] as const
    const { path } = await people.linkFor(alice)
    expect((await new Browser(server.issuer).post(path, {}, { from })).status).toBe(303)
  })

  test('who tries codes is told to slow down', async () => {
    const browser = new Browser(server.issuer)
    const statuses: number[] = []
    for (let n = 0; n < 70; n++) statuses.push((await browser.post(`/sign-in/link/${'A'.repeat(22)}`)).status)
    expect(statuses.at(-1)).toBe(429)
    // And who has the right one is served all the same.
    expect((await browser.post((await people.linkFor(alice)).path)).status).toBe(303)
  })
})
