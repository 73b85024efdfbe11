import { createServer } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Browser } from '../../support/browser.ts'
import type { Answer } from '../../support/clients.ts'
import { type Falsehood, type FalseProvider, startFalseProvider } from '../../support/false-provider.ts'
import { type People, peopleOf } from '../../support/people.ts'
import { startTestServer, type TestServer } from '../../support/server.ts'
import { startUpstream, UPSTREAM_CLIENT, type UpstreamServer } from '../../support/upstream-provider.ts'
import { makeKey } from '../../wire/signing.ts'

const LOGIN = '__Host-writ_login'
const AWAY = '__Host-writ_upstream'
const BY_EMAIL = { claim: 'email', equals: 'email' }
const nonces = new Map<string, string>()
const nonceOf = (code: string) => nonces.get(code) ?? ''

let server: TestServer
let people: People
let upstream: UpstreamServer
let keyed: UpstreamServer
const clientKey = makeKey('ES256')
let liar: FalseProvider
let inner: FalseProvider
/** Everything that was connected to where nothing may be asked. */
const touched: string[] = []
const inside = createServer((socket) => {
  touched.push('inside')
  socket.destroy()
})
let insidePort = 0

beforeAll(async () => {
  upstream = await startUpstream()
  keyed = await startUpstream()
  liar = await startFalseProvider(UPSTREAM_CLIENT.clientSecret, nonceOf)
  inner = await startFalseProvider(UPSTREAM_CLIENT.clientSecret, nonceOf)
  await new Promise<void>((resolve) => inside.listen(0, '127.0.0.1', resolve))
  insidePort = (inside.address() as { port: number }).port
  const entry = (name: string, issuer: string, principal: object = BY_EMAIL) => ({
    ...{ name, title: `The ${name}`, issuer, scope: 'openid email', principal, ...UPSTREAM_CLIENT },
  })
  server = await startTestServer({
    upstream: [
      entry('real', upstream.issuer),
      {
        ...entry('keyed', keyed.issuer),
        clientSecret: undefined,
        privateKey: JSON.stringify({ ...clientKey.privateKey.export({ format: 'jwk' }), alg: 'ES256', kid: 'one' }),
      },
      entry('liar', liar.issuer),
      entry('inner', inner.issuer, { claim: 'sub', equals: 'id' }),
      // https, so that nobody takes them for a provider of a developer's machine.
      entry('loopback', `https://127.0.0.1:${insidePort}`),
      entry('loopback-six', `https://[::1]:${insidePort}`),
      entry('mapped', `https://[::ffff:7f00:1]:${insidePort}`),
      entry('by-name', `https://localhost:${insidePort}`),
      entry('metadata', 'https://169.254.169.254'),
      entry('private', 'https://10.0.0.1'),
    ],
  })
  upstream.serve(`${server.issuer}/sign-in/upstream/real/callback`)
  keyed.serve(`${server.issuer}/sign-in/upstream/keyed/callback`, clientKey.jwk)
  people = await peopleOf(server)
})
afterAll(async () => {
  await server?.close()
  await Promise.all([upstream?.close(), keyed?.close(), liar?.close(), inner?.close()])
  inside.close()
})

/** Sends a browser away. @returns where to. */
async function goAway(browser: Browser, name: string, then = '/me/logins'): Promise<URL> {
  const answer = await browser.post(`/sign-in/upstream/${name}`, { then })
  expect([answer.status, answer.text.includes('Go on to')]).toEqual([200, true])
  return new URL(String(answer.headers.refresh).replace(/^0; url=/, ''))
}

/** Is at the real provider, until it sends back. @returns the path that it sends back to. */
async function beAtProvider(url: URL, { issuer } = upstream): Promise<string> {
  const there = new Browser(issuer)
  let at = url
  for (let n = 0; n < 8 && at.origin === issuer; n++) {
    const answer = await there.get(`${at.pathname}${at.search}`)
    expect([302, 303]).toContain(answer.status)
    at = new URL(String(answer.headers.location), issuer)
  }
  expect(at.origin).toBe(server.issuer)
  return `${at.pathname}${at.search}`
}

async function signInAsAccount(account: string): Promise<{ browser: Browser; answer: Answer; callback: string }> {
  upstream.account = account
  const browser = new Browser(server.issuer)
  const callback = await beAtProvider(await goAway(browser, 'real'))
  return { browser, callback, answer: await browser.get(callback) }
}

let codes = 0
/** Comes back from the provider that lies, with a code of the test's. */
async function comeBack(
  falsehood: Falsehood,
  change: (query: URLSearchParams) => void = () => {},
  name = 'liar',
): Promise<{ browser: Browser; answer: Answer; callback: string }> {
  const provider = name === 'liar' ? liar : inner
  provider.say(falsehood)
  const browser = new Browser(server.issuer)
  const url = await goAway(browser, name)
  codes += 1
  const code = `code-${codes}`
  nonces.set(code, url.searchParams.get('nonce') ?? '')
  const query = new URLSearchParams({ code, state: url.searchParams.get('state') ?? '', iss: provider.issuer })
  change(query)
  const callback = `/sign-in/upstream/${name}/callback?${query}`
  return { browser, callback, answer: await browser.get(callback) }
}

const refused = ({ answer, browser }: { answer: Answer; browser: Browser }) => {
  expect([answer.status, browser.cookies.has(LOGIN)]).toEqual([403, false])
  return answer.text
}

describe('an upstream provider', () => {
  test('signs in whom its verified address names, and from then on by issuer and subject alone', async () => {
    const bob = await people.register({ name: 'Bob', email: 'Bob@Example.com' })
    upstream.accounts.set('bob-1', { email: 'bob@example.com', email_verified: true })
    const { browser, answer } = await signInAsAccount('bob-1')
    expect([answer.status, answer.headers.location]).toEqual([303, '/me/logins'])
    expect((await browser.get('/me/logins')).text).toContain(`Identity provider: <bdi class="seen">${upstream.issuer}`)
    const { items } = (await people.api.call('GET', `/admin/records?principal=${bob}`)).body
    expect(items[0].because).toMatchObject({
      ...{ operation: 'login.begin', method: 'upstream', by: upstream.issuer, bound: 'bob-1' },
    })

    // Another address, the same account: the same principal. The old address at another account: nobody.
    upstream.accounts.set('bob-1', { email: 'robert@example.com', email_verified: false })
    expect((await signInAsAccount('bob-1')).answer.status).toBe(303)
    upstream.accounts.set('heir', { email: 'bob@example.com', email_verified: true })
    expect(refused(await signInAsAccount('heir'))).toContain('by another account of this provider')
    // Unless an administrator says so.
    const path = `/admin/principals/${bob}/upstream-identities`
    expect((await people.api.call('GET', path)).body.items).toMatchObject([
      { issuer: upstream.issuer, subject: 'bob-1' },
    ])
    expect((await people.api.call('DELETE', path)).body).toEqual({ unbound: [upstream.issuer] })
    expect((await signInAsAccount('heir')).answer.status).toBe(303)
    refused(await signInAsAccount('bob-1'))
  })

  test('is asked with PKCE, a nonce and a state that are new each time', async () => {
    const browser = new Browser(server.issuer)
    const [one, two] = [await goAway(browser, 'real'), await goAway(browser, 'real')]
    expect(Object.fromEntries(one.searchParams)).toMatchObject({
      ...{ response_type: 'code', code_challenge_method: 'S256', client_id: 'writ', scope: 'openid email' },
      redirect_uri: `${server.issuer}/sign-in/upstream/real/callback`,
    })
    for (const name of ['state', 'nonce', 'code_challenge']) {
      expect(one.searchParams.get(name)?.length).toBeGreaterThanOrEqual(43)
      expect(one.searchParams.get(name)).not.toBe(two.searchParams.get(name))
    }
  })

  test('is shown a key where it wants one, instead of a secret', async () => {
    await people.register({ email: 'kim@example.com' })
    keyed.accounts.set('kim', { email: 'kim@example.com', email_verified: true })
    keyed.account = 'kim'
    const browser = new Browser(server.issuer)
    const answer = await browser.get(await beAtProvider(await goAway(browser, 'keyed'), keyed))
    expect([answer.status, browser.cookies.has(LOGIN)]).toEqual([303, true])
  })

  test('registers nobody: who is unknown is told whom to ask', async () => {
    upstream.accounts.set('stranger', { email: 'stranger@example.com', email_verified: true })
    expect(refused(await signInAsAccount('stranger'))).toContain('ask your administrator to register you')
  })

  test('names nobody by an address that it has not verified, or that two have', async () => {
    await people.register({ email: 'carol@example.com' })
    upstream.accounts.set('carol', { email: 'carol@example.com', email_verified: false })
    expect(refused(await signInAsAccount('carol'))).toContain('has not verified')
    await people.register({ email: 'twin@example.com' })
    await people.register({ email: 'twin@example.com' })
    upstream.accounts.set('twin', { email: 'twin@example.com', email_verified: true })
    expect(refused(await signInAsAccount('twin'))).toContain('nobody here is known by that')
  })

  test('lets nobody in who is suspended, or is a service', async () => {
    const dave = await people.register({ email: 'dave@example.com' })
    upstream.accounts.set('dave', { email: 'dave@example.com', email_verified: true })
    expect((await signInAsAccount('dave')).answer.status).toBe(303)
    await people.api.call('POST', `/admin/principals/${dave}/suspend`, {})
    refused(await signInAsAccount('dave'))
    await people.register({ kind: 'service', email: 'robot@example.com' })
    upstream.accounts.set('robot', { email: 'robot@example.com', email_verified: true })
    refused(await signInAsAccount('robot'))
  })

  test('is left by a form of another site', async () => {
    const from = [['Origin', 'https://evil.example']] as const
    expect((await new Browser(server.issuer).post('/sign-in/upstream/real', {}, { from })).status).toBe(403)
    expect((await new Browser(server.issuer).post('/sign-in/upstream/nobody')).status).toBe(404)
  })
})

describe('an answer of a provider signs nobody in', () => {
  let erin: string
  const honest = { email: 'erin@example.com', email_verified: true }
  beforeAll(async () => {
    erin = await people.register({ email: 'erin@example.com' })
  })

  test.each<[string, Falsehood]>([
    ['with a discovery document of another issuer', { discovery: { issuer: 'https://other.example' } }],
    ['with a discovery document that is elsewhere', { redirectsDiscovery: true }],
    ['with a page for browsers that is no https', { discovery: { authorization_endpoint: 'javascript:alert(1)' } }],
  ])('%s', async (_, falsehood) => {
    // Before it was asked first: what it said of itself is kept for an hour.
    inner.say(falsehood)
    const answer = await new Browser(server.issuer).post('/sign-in/upstream/inner')
    expect([answer.status, answer.headers.refresh]).toEqual([403, undefined])
  })

  test('unless everything is as it must be: then it does', async () => {
    const { answer, browser } = await comeBack({ claims: { ...honest, sub: 'erin' } })
    expect([answer.status, browser.cookies.has(LOGIN)]).toEqual([303, true])
    expect(
      (await people.api.call('GET', `/admin/records?principal=${erin}&limit=1`)).body.items[0].because,
    ).toMatchObject({ operation: 'login.begin', by: liar.issuer })
  })

  test.each<[string, Falsehood]>([
    ['for another nonce', { claims: { nonce: 'A'.repeat(43) } }],
    ['without a nonce', { claims: { nonce: undefined } }],
    ['for another client', { claims: { aud: 'another' } }],
    ['for several clients', { claims: { aud: ['writ', 'another'] } }],
    ['of another issuer', { claims: { iss: 'https://other.example' } }],
    ['that is over', { claims: { exp: 1 } }],
    ['without a subject', { claims: { sub: undefined } }],
    ['with a subject that no database takes', { claims: { sub: 'a\0' } }],
    ['signed by another key', { signedBy: 'another key' }],
    ['signed by nobody', { signedBy: 'nobody' }],
    ['signed by the secret of the client', { signedBy: 'the client secret' }],
    ['of a key that it does not have', { header: { kid: 'unknown' } }],
    ['that its token endpoint takes back', { refuses: true }],
  ])('%s', async (_, { claims, ...falsehood }) => {
    const text = refused(await comeBack({ ...falsehood, claims: { ...honest, sub: 'erin', ...claims } }))
    expect(text).not.toContain('secret words')
  })

  test.each([
    ['"true"', { email: 'erin@example.com', email_verified: 'true' }],
    ['nothing', { email: 'erin@example.com' }],
    ['1', { email: 'erin@example.com', email_verified: 1 }],
    ['an address that is no text', { email: ['erin@example.com'], email_verified: true }],
    ['an address that only looks alike', { email: 'ErİN@example.com', email_verified: true }],
    ['a pattern', { email: '%@example.com', email_verified: true }],
  ])('that says of the address: %s', async (_, claims) => {
    refused(await comeBack({ claims: { ...claims, sub: 'somebody-new' } }))
  })

  test('whose address comes from elsewhere, of somebody else', async () => {
    const other = { sub: 'another', ...honest }
    refused(await comeBack({ claims: { sub: 'erin-3' }, userinfo: other }))
  })

  test.each<[string, (query: URLSearchParams) => void]>([
    ['with another state', (query) => query.set('state', 'A'.repeat(43))],
    ['without a state', (query) => query.delete('state')],
    ['with two states', (query) => query.append('state', 'A'.repeat(43))],
    ['without a code', (query) => query.delete('code')],
    ['of another issuer (mix-up)', (query) => query.set('iss', 'https://other.example')],
    ['without the issuer that it promised', (query) => query.delete('iss')],
  ])('%s', async (_, change) => {
    const before = liar.codes.length
    refused(await comeBack({ claims: { ...honest, sub: 'erin' } }, change))
    // Refused before the code went anywhere.
    expect(liar.codes.length).toBe(before)
  })

  test('when it says no, in its own words', async () => {
    const came = await comeBack({}, (query) => {
      query.delete('code')
      query.set('error', 'access_denied')
      query.set('error_description', 'words of a stranger')
    })
    const text = refused(came)
    expect(text).toContain('(access_denied)')
    expect(text).not.toContain('words of a stranger')
  })

  test('twice, nor in a browser that did not ask', async () => {
    const first = await comeBack({ claims: { ...honest, sub: 'erin' } })
    expect(first.answer.status).toBe(303)
    expect((await first.browser.get(first.callback)).status).toBe(403)
    const thief = new Browser(server.issuer)
    refused({ browser: thief, answer: await thief.get(first.callback) })

    // Nor at the same time, by a copy of what the browser held.
    const browser = new Browser(server.issuer)
    const url = await goAway(browser, 'liar')
    nonces.set('twice', url.searchParams.get('nonce') ?? '')
    const query = new URLSearchParams({ code: 'twice', state: url.searchParams.get('state') ?? '', iss: liar.issuer })
    const twin = new Browser(server.issuer)
    const held = browser.cookies.get(AWAY)
    if (held !== undefined) twin.cookies.set(AWAY, held)
    const path = `/sign-in/upstream/liar/callback?${query}`
    const answers = await Promise.all([browser, twin].map((one) => one.get(path)))
    expect(answers.map(({ status }) => status).sort()).toEqual([303, 403])
  })

  test('at the address of another provider (mix-up)', async () => {
    liar.say({ claims: { ...honest, sub: 'erin' } })
    const browser = new Browser(server.issuer)
    const url = await goAway(browser, 'liar')
    const query = new URLSearchParams({
      code: 'mixed',
      state: url.searchParams.get('state') ?? '',
      iss: upstream.issuer,
    })
    const answer = await browser.get(`/sign-in/upstream/real/callback?${query}`)
    expect(refused({ browser, answer })).toContain('did not start this sign-in')
    expect(liar.codes).not.toContain('mixed')
  })

  test('with a token endpoint inside of the network', async () => {
    inner.say({ discovery: { token_endpoint: 'http://10.0.0.1/token' } })
    const { answer, browser } = await comeBack(
      { discovery: { token_endpoint: 'http://10.0.0.1/token' } },
      undefined,
      'inner',
    )
    expect(refused({ answer, browser })).toContain('not of the public internet')
  })
})

test.each(['loopback', 'loopback-six', 'mapped', 'by-name', 'metadata', 'private'])(
  'a provider at an address inside is not asked: %s',
  async (name) => {
    const answer = await new Browser(server.issuer).post(`/sign-in/upstream/${name}`)
    expect([answer.status, answer.headers.refresh]).toEqual([403, undefined])
    expect(answer.text).toContain('not of the public internet')
    expect(touched).toEqual([])
  },
)

test.each(['//evil.example', '/\\evil.example', 'https://evil.example', '/%5cevil', '/\t/evil', '/..//evil.example'])(
  'who wanted to go to %j is led nowhere else',
  async (then) => {
    await people.register({ email: `then-${codes}@example.com` })
    liar.say({ claims: { email: `then-${codes}@example.com`, email_verified: true } })
    const browser = new Browser(server.issuer)
    const url = await goAway(browser, 'liar', then)
    codes += 1
    nonces.set(`code-${codes}`, url.searchParams.get('nonce') ?? '')
    const query = new URLSearchParams({ code: `code-${codes}`, state: url.searchParams.get('state') ?? '' })
    query.set('iss', liar.issuer)
    const answer = await browser.get(`/sign-in/upstream/liar/callback?${query}`)
    expect([answer.status, answer.headers.location]).toEqual([303, then === '/%5cevil' ? '/%5cevil' : '/me'])
  },
)
