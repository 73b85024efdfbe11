import { request } from 'node:http'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Browser, csrfOf } from '../../support/browser.ts'
import { send } from '../../support/clients.ts'
import { type People, peopleOf } from '../../support/people.ts'
import { startTestServer, type TestServer } from '../../support/server.ts'

let server: TestServer
let people: People
beforeAll(async () => {
  server = await startTestServer()
  people = await peopleOf(server)
})
afterAll(() => server.close())

const LOGIN = '__Host-writ_login'
const secretOf = (browser: Browser) => browser.cookies.get(LOGIN)?.value ?? ''
const hold = (browser: Browser, value: string) => browser.cookies.set(LOGIN, { value, attributes: new Map() })
const idOf = (text: string, marked: RegExp) => marked.exec(text)?.[1] ?? ''
const FIRST_LOGIN = /\/me\/logins\/(log_[^/"]+)\/end/

describe('who is not signed in', () => {
  test.each(['/me/logins', '/me/passkeys'])('is sent to sign in, and comes back to %s', async (path) => {
    const answer = await new Browser(server.issuer).get(`${path}?a=1&b=2`)
    const then = encodeURIComponent(`${path}?a=1&b=2`)
    expect([answer.status, answer.headers.location]).toEqual([303, `/sign-in?then=${then}`])
    expect(answer.headers['cache-control']).toBe('no-store')
  })

  test('changes nothing', async () => {
    for (const path of ['/me/logins/end-others', '/me/passkeys', '/me/logins/log_x/end']) {
      const answer = await new Browser(server.issuer).post(path)
      expect([answer.status, answer.text.includes('not signed in any more')]).toEqual([403, true])
    }
  })

  test.each([
    ['no secret at all', ''],
    ['one that was never given out', 'A'.repeat(44)],
    ['a short one', 'A'],
    ['one with other characters', `${'A'.repeat(40)}%00.`],
  ])('is who holds %s', async (_, value) => {
    const browser = new Browser(server.issuer)
    hold(browser, value)
    expect((await browser.get('/me/logins')).status).toBe(303)
  })

  test('is whose cookie comes twice: nobody can tell which is his', async () => {
    const browser = await people.signedIn(await people.register())
    const [own, other] = [`${LOGIN}=${secretOf(browser)}`, `${LOGIN}=${'A'.repeat(44)}`]
    for (const cookie of [`${other}; ${own}`, `${own}; ${other}`]) {
      expect((await send(`${server.issuer}/me/logins`, { headers: [['Cookie', cookie]] })).status).toBe(303)
    }
  })
})

describe('a sign-in', () => {
  test('gives a new secret each time, and ends what the browser held before (session fixation)', async () => {
    const alice = await people.register()
    const attacker = await people.signedIn(await people.register())
    const planted = secretOf(attacker)
    const victim = new Browser(server.issuer)
    hold(victim, planted)
    await victim.post((await people.linkFor(alice)).path)
    expect(secretOf(victim)).not.toBe(planted)
    expect((await victim.get('/me/logins')).status).toBe(200)
    // What the attacker knows is worth nothing any more, to anybody.
    expect((await attacker.get('/me/logins')).status).toBe(303)

    const first = secretOf(victim)
    await victim.post((await people.linkFor(alice)).path)
    expect(secretOf(victim)).not.toBe(first)
    const old = new Browser(server.issuer)
    hold(old, first)
    expect((await old.get('/me/logins')).status).toBe(303)
  })

  test('is over at once for who is suspended, whatever page was open', async () => {
    const alice = await people.register()
    const browser = await people.signedIn(alice)
    const csrf = csrfOf(await browser.get('/me/logins'))
    await people.api.call('POST', `/admin/principals/${alice}/suspend`, {})
    expect((await browser.get('/me/logins')).status).toBe(303)
    expect((await browser.post('/me/logins/end-others', { csrf })).status).toBe(403)
  })

  test('is over for whoever was suspended while the form was on its way', async () => {
    const alice = await people.register()
    const browser = await people.signedIn(alice)
    const csrf = csrfOf(await browser.get('/me/logins'))
    const body = new URLSearchParams({ csrf }).toString()
    const status = new Promise<number | undefined>((resolve, reject) => {
      const held = request(`${server.issuer}/me/logins/end-others`, {
        method: 'POST',
        headers: {
          ...{ Origin: server.issuer, 'Sec-Fetch-Site': 'same-origin', Cookie: `${LOGIN}=${secretOf(browser)}` },
          ...{ 'Content-Type': 'application/x-www-form-urlencoded', 'Content-Length': body.length },
        },
      })
      held.once('response', (answer) => resolve(answer.resume().statusCode)).once('error', reject)
      held.write(body.slice(0, 5))
      // Long enough for the head to be judged.
      setTimeout(async () => {
        await people.api.call('POST', `/admin/principals/${alice}/suspend`, {})
        held.end(body.slice(5))
      }, 200)
    })
    expect(await status).toBe(403)
  })

  test.each([
    ['//evil.example', '/me'],
    ['/\\evil.example', '/me'],
    ['\\\\evil.example', '/me'],
    ['https://evil.example', '/me'],
    ['https:evil.example', '/me'],
    ['javascript:alert(1)', '/me'],
    ['/\t/evil.example', '/me'],
    ['/%0a/evil.example', '/%0a/evil.example'],
    ['/..//evil.example', '/me'],
    ['/.//evil.example', '/me'],
    ['@evil.example', '/me'],
    ['me', '/me'],
    ['', '/me'],
    ['/me/approvals/apr_1?x=1', '/me/approvals/apr_1?x=1'],
  ])('leads from %j to %s', async (then, to) => {
    const browser = await people.signedIn(await people.register())
    const already = await browser.get(`/sign-in?then=${encodeURIComponent(then)}`)
    expect([already.status, already.headers.location]).toEqual([303, to])
    // The same where the link comes later, in the same browser.
    const other = new Browser(server.issuer)
    await other.get(`/sign-in?then=${encodeURIComponent(then)}`)
    const answer = await other.post((await people.linkFor(await people.register())).path)
    expect([answer.status, answer.headers.location]).toEqual([303, to])
  })

  test('leads to no path that is too long', async () => {
    const browser = await people.signedIn(await people.register())
    expect((await browser.get(`/sign-in?then=/${'a'.repeat(3_000)}`)).headers.location).toBe('/me')
  })

  test('leads nowhere that a forged cookie says', async () => {
    const browser = new Browser(server.issuer)
    browser.cookies.set('__Host-writ_then', { value: '%2F%2Fevil.example', attributes: new Map() })
    const answer = await browser.post((await people.linkFor(await people.register())).path)
    expect(answer.headers.location).toBe('/me')
  })

  test('page is shown in no frame, and runs no script but ours', async () => {
    for (const path of ['/sign-in', '/sign-in/link/unknown']) {
      const { headers } = await new Browser(server.issuer).get(path)
      const policy = String(headers['content-security-policy'])
      expect(policy).toContain("frame-ancestors 'none'")
      expect(policy).toContain("script-src 'self'")
      expect(policy).not.toContain('unsafe')
      expect(headers['x-frame-options']).toBe('DENY')
    }
  })
})

describe('the logins of a principal', () => {
  test('are listed with this browser marked, and are nobody else’s to see or end', async () => {
    const alice = await people.register()
    const [laptop, phone] = [await people.signedIn(alice), await people.signedIn(alice)]
    const page = await laptop.get('/me/logins')
    expect(page.text.match(/\/me\/logins\/log_[^/]+\/end/g)).toHaveLength(2)
    expect(page.text.match(/This browser/g)).toHaveLength(1)
    expect(page.text).toContain('a test browser')
    expect(page.text).not.toContain(secretOf(laptop))

    const mallory = await people.signedIn(await people.register())
    const own = csrfOf(await mallory.get('/me/logins'))
    const id = idOf(page.text, FIRST_LOGIN)
    expect((await mallory.post(`/me/logins/${id}/end`, { csrf: own })).status).toBe(404)
    expect((await phone.get('/me/logins')).status).toBe(200)
  })

  test('can be ended one by one, at once', async () => {
    const alice = await people.register()
    const laptop = await people.signedIn(alice)
    const phone = await people.signedIn(alice)
    const page = await laptop.get('/me/logins')
    // Newest first.
    const id = idOf(page.text, FIRST_LOGIN)
    expect((await laptop.post(`/me/logins/${id}/end`, { csrf: csrfOf(page) })).status).toBe(303)
    expect((await phone.get('/me/logins')).status).toBe(303)
    expect((await laptop.get('/me/logins')).status).toBe(200)
    expect((await laptop.post(`/me/logins/${id}/end`, { csrf: csrfOf(page) })).status).toBe(404)
    const { items } = (await people.api.call('GET', `/admin/records?principal=${alice}&limit=1`)).body
    expect(items[0]).toMatchObject({ kind: 'principal', because: { operation: 'login.end', target: id } })
  })

  test('can be ended all but this one', async () => {
    const alice = await people.register()
    const laptop = await people.signedIn(alice)
    const others = [await people.signedIn(alice), await people.signedIn(alice)]
    const csrf = csrfOf(await laptop.get('/me/logins'))
    expect((await laptop.post('/me/logins/end-others', { csrf })).status).toBe(303)
    for (const other of others) expect((await other.get('/me/logins')).status).toBe(303)
    expect((await laptop.get('/me/logins')).status).toBe(200)
  })

  test('show what a browser calls itself, and run none of it', async () => {
    const alice = await people.register()
    const browser = new Browser(server.issuer)
    const headers = [['User-Agent', '<script>alert(1)</script>']] as const
    const { path } = await people.linkFor(alice)
    const from = [['Origin', server.issuer], ...headers] as const
    // The first of two headers is the test browser's own, so it is sent as one.
    const answer = await send(`${server.issuer}${path}`, {
      method: 'POST',
      headers: [...from, ['Content-Type', 'application/x-www-form-urlencoded']],
      body: '',
    })
    const secret = /__Host-writ_login=([^;]+)/.exec(String(answer.headers['set-cookie']))?.[1] ?? ''
    hold(browser, secret)
    const page = await browser.get('/me/logins')
    expect(page.text).toContain('&lt;script&gt;alert(1)&lt;/script&gt;')
    expect(page.text).not.toContain('<script>alert')
  })
})

describe('a form', () => {
  const refusedForms: readonly (readonly [string, (own: string, foreign: string) => Record<string, string>])[] = [
    ['without the token', () => ({})],
    ['with an empty token', () => ({ csrf: '' })],
    ['with the token of another login', (_, foreign) => ({ csrf: foreign })],
    ['with half of the token', (own) => ({ csrf: own.slice(0, 20) })],
    ['with a changed token', (own) => ({ csrf: `${own.slice(0, -1)}${own.endsWith('A') ? 'B' : 'A'}` })],
  ]
  test.each(refusedForms)('%s changes nothing', async (_, form) => {
    const alice = await people.register()
    const [browser, other] = [await people.signedIn(alice), await people.signedIn(alice)]
    const own = csrfOf(await browser.get('/me/logins'))
    const foreign = csrfOf(await other.get('/me/logins'))
    expect(own).not.toBe(foreign)
    for (const path of ['/me/logins/end-others', '/sign-out']) {
      const answer = await browser.post(path, form(own, foreign))
      expect([answer.status, answer.headers['set-cookie']]).toEqual([403, undefined])
    }
    expect((await other.get('/me/logins')).status).toBe(200)
    expect((await browser.get('/me/logins')).status).toBe(200)
  })

  test.each([
    [
      'another site',
      [
        ['Origin', 'https://evil.example'],
        ['Sec-Fetch-Site', 'cross-site'],
      ],
    ],
    ['a neighbour', [['Sec-Fetch-Site', 'same-site']]],
    ['nowhere', []],
  ] as const)('of %s changes nothing, even with the token', async (_, from) => {
    const browser = await people.signedIn(await people.register())
    const csrf = csrfOf(await browser.get('/me/logins'))
    expect((await browser.post('/sign-out', { csrf }, { from: from.map((pair) => [...pair] as const) })).status).toBe(
      403,
    )
    expect((await browser.get('/me/logins')).status).toBe(200)
  })

  test('that says something twice, is none, or is too large, is not read', async () => {
    const browser = await people.signedIn(await people.register())
    const csrf = csrfOf(await browser.get('/me/logins'))
    const own = [
      ['Cookie', `${LOGIN}=${secretOf(browser)}`],
      ['Origin', server.issuer],
    ] as const
    const sent = async (type: string, body: string) =>
      (await send(`${server.issuer}/sign-out`, { method: 'POST', headers: [...own, ['Content-Type', type]], body }))
        .status
    const FORM = 'application/x-www-form-urlencoded'
    expect(await sent(FORM, `csrf=${csrf}&csrf=${csrf}`)).toBe(400)
    expect(await sent('application/json', JSON.stringify({ csrf }))).toBe(415)
    expect(await sent('text/plain', `csrf=${csrf}`)).toBe(415)
    expect(await sent(FORM, `csrf=${csrf}&a=${'a'.repeat(300_000)}`)).toBe(413)
    expect(await sent(FORM, `csrf=${csrf}`)).toBe(303)
  })
})

describe('a sign-out', () => {
  test('ends the login, and has the browser forget it', async () => {
    const alice = await people.register()
    const browser = await people.signedIn(alice)
    const secret = secretOf(browser)
    const answer = await browser.post('/sign-out', { csrf: csrfOf(await browser.get('/me/logins')) })
    expect([answer.status, answer.headers.location, browser.cookies.has(LOGIN)]).toEqual([303, '/sign-in', false])
    hold(browser, secret)
    expect((await browser.get('/me/logins')).status).toBe(303)
  })

  test('of who is signed out already is as good', async () => {
    const answer = await new Browser(server.issuer).post('/sign-out')
    expect([answer.status, answer.headers.location]).toEqual([303, '/sign-in'])
  })

  test('needs a form: to open the address is nothing', async () => {
    const browser = await people.signedIn(await people.register())
    expect((await browser.get('/sign-out')).status).toBeGreaterThanOrEqual(404)
    expect((await browser.get('/me/logins')).status).toBe(200)
  })
})

describe('a login ends by itself', () => {
  test('when it is past its time, or was not seen for long', async () => {
    const brief = await startTestServer({ loginSeconds: 2 })
    const idle = await startTestServer({ loginIdleSeconds: 2 })
    try {
      const [short, seen] = await Promise.all(
        [brief, idle].map(async (one) => {
          const there = await peopleOf(one)
          return there.signedIn(await there.register())
        }),
      )
      const wait = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds))
      for (let n = 0; n < 3; n++) {
        await wait(900)
        // Who comes is seen, and stays.
        expect((await seen?.get('/me/logins'))?.status).toBe(200)
      }
      // Nothing prolongs the other one.
      expect((await short?.get('/me/logins'))?.status).toBe(303)
      await wait(2_200)
      expect((await seen?.get('/me/logins'))?.status).toBe(303)
    } finally {
      await Promise.all([brief.close(), idle.close()])
    }
  }, 60_000)
})
