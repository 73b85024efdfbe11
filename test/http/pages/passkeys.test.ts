import { generateKeyPairSync } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type AnswerDeviation, Authenticator, cborBytes, cborList, cborMap } from '../../support/authenticator.ts'
import { Browser, csrfOf } from '../../support/browser.ts'
import type { Answer } from '../../support/clients.ts'
import { type People, peopleOf } from '../../support/people.ts'
import { startTestServer, type TestServer } from '../../support/server.ts'

let server: TestServer
let people: People
let alice: string
let browser: Browser
let csrf: string
/** How far the server's clock is ahead. */
let aheadSeconds = 0
beforeAll(async () => {
  server = await startTestServer({}, { clock: () => new Date(Date.now() + aheadSeconds * 1_000) })
  people = await peopleOf(server)
  alice = await people.register({ name: 'Alice' })
  browser = await people.signedIn(alice)
  csrf = csrfOf(await browser.get('/me/passkeys'))
})
afterAll(() => server.close())

const LOGIN = '__Host-writ_login'
const CHALLENGE = '__Host-writ_passkey'
const options = async (where: Browser, path = '/me/passkeys/options', form: Record<string, string> = { csrf }) =>
  (await where.post(path, form)).body
const askSignIn = (where: Browser) => options(where, '/sign-in/passkey/options', {})

async function add(authenticator: Authenticator, label = 'Laptop', deviation: AnswerDeviation = {}): Promise<Answer> {
  const answer = authenticator.create(await options(browser), deviation)
  return browser.post('/me/passkeys', { csrf, label, answer })
}

async function signIn(authenticator: Authenticator, deviation: AnswerDeviation = {}, then?: string) {
  const other = new Browser(server.issuer)
  const answer = authenticator.get(await askSignIn(other), deviation)
  return { other, answer: await other.post('/sign-in/passkey', { answer, ...(then !== undefined && { then }) }) }
}

const refusedRecords = async () =>
  (await people.api.call('GET', `/admin/records?principal=${alice}&decision=refused`)).body.items

describe('a passkey', () => {
  test('is added by who is signed in, and signs in elsewhere', async () => {
    const authenticator = new Authenticator(server.issuer)
    const asked = await options(browser)
    expect(asked).toMatchObject({
      rp: { id: 'localhost' },
      user: { name: alice, displayName: 'Alice' },
      attestation: 'none',
      authenticatorSelection: { residentKey: 'required', userVerification: 'required' },
    })
    expect(asked.user.id).not.toContain(Buffer.from(alice).toString('base64url'))
    const answer = await browser.post('/me/passkeys', { csrf, label: 'Laptop', answer: authenticator.create(asked) })
    expect([answer.status, answer.headers.location]).toEqual([303, '/me/passkeys'])
    expect((await browser.get('/me/passkeys')).text).toContain('Laptop')

    const { other, answer: signedIn } = await signIn(authenticator, {}, '/me/logins')
    expect([signedIn.status, signedIn.headers.location]).toEqual([303, '/me/logins'])
    const page = await other.get('/me/logins')
    expect(page.text).toContain('Passkey: <bdi class="seen">Laptop</bdi>')
    const { items } = (await people.api.call('GET', `/admin/records?principal=${alice}&limit=2`)).body
    expect(items.map(({ because }: { because: { operation: string } }) => because.operation)).toEqual([
      'login.begin',
      'passkey.add',
    ])
    expect(items[0].because).toMatchObject({ method: 'passkey' })
  })

  test('is not offered to an authenticator that has one already', async () => {
    const authenticator = new Authenticator(server.issuer)
    await add(authenticator)
    expect((await options(browser)).excludeCredentials).toContainEqual(
      expect.objectContaining({ id: authenticator.id }),
    )
  })

  test('of an authenticator that does not count signs in as often as it is used', async () => {
    const authenticator = new Authenticator(server.issuer, { isCounting: false })
    await add(authenticator)
    for (let n = 0; n < 3; n++) expect((await signIn(authenticator)).answer.status).toBe(303)
  })

  test('can be renamed, and removed for ever', async () => {
    const authenticator = new Authenticator(server.issuer)
    await add(authenticator, 'Old name')
    const page = await browser.get('/me/passkeys')
    const id = /\/me\/passkeys\/(psk_[^/"]+)\/rename/.exec(page.text)?.[1] ?? ''
    expect((await browser.post(`/me/passkeys/${id}/rename`, { csrf, label: '<b>new</b>' })).status).toBe(303)
    expect((await browser.get('/me/passkeys')).text).toContain('&lt;b&gt;new&lt;/b&gt;')
    for (const label of ['', ' ', 'a'.repeat(61), 'two\nlines', 'a\u202eb']) {
      expect((await browser.post(`/me/passkeys/${id}/rename`, { csrf, label })).status).toBe(422)
    }
    expect((await browser.post(`/me/passkeys/${id}/remove`, { csrf })).status).toBe(303)
    expect((await signIn(authenticator)).answer.status).toBe(403)
    expect((await browser.post(`/me/passkeys/${id}/remove`, { csrf })).status).toBe(404)
    // Nor can it be added again.
    expect((await add(authenticator)).status).toBe(403)
  })

  test('of somebody else is neither renamed nor removed', async () => {
    const authenticator = new Authenticator(server.issuer)
    await add(authenticator)
    const id = /\/me\/passkeys\/(psk_[^/"]+)\/rename/.exec((await browser.get('/me/passkeys')).text)?.[1] ?? ''
    const mallory = await people.signedIn(await people.register())
    const token = csrfOf(await mallory.get('/me/passkeys'))
    expect((await mallory.post(`/me/passkeys/${id}/rename`, { csrf: token, label: 'Mine' })).status).toBe(404)
    expect((await mallory.post(`/me/passkeys/${id}/remove`, { csrf: token })).status).toBe(404)
    expect((await signIn(authenticator)).answer.status).toBe(303)
  })
})

describe('no passkey is added', () => {
  const certificate = cborMap([
    ['x5c', cborList([cborBytes(Buffer.alloc(8))])],
    ['sig', cborBytes(Buffer.alloc(8))],
  ])
  test.each<[string, AnswerDeviation]>([
    ['for another origin', { origin: 'https://evil.example' }],
    ['for another host', { rpId: 'evil.example' }],
    ['for a challenge of the caller', { challenge: 'A'.repeat(43) }],
    ['of the other ceremony', { type: 'webauthn.get' }],
    ['made in a frame', { crossOrigin: true }],
    ['without its user verified', { isUserVerified: false }],
    ['whose id is another', { id: 'A'.repeat(22) }],
  ])('%s', async (_, deviation) => {
    const authenticator = new Authenticator(server.issuer)
    expect((await add(authenticator, 'Odd', deviation)).status).toBe(403)
    expect((await browser.get('/me/passkeys')).text).not.toContain('Odd')
  })

  test.each(['packed', 'tpm', 'android-key', 'fido-u2f'])('with a certificate to look up: %s', async (format) => {
    const answer = await add(new Authenticator(server.issuer), 'Odd', { format, statement: certificate })
    expect([answer.status, answer.text.includes('says more about itself than it was asked')]).toEqual([403, true])
  })

  test('by the same answer twice, or by the answer to another login', async () => {
    const authenticator = new Authenticator(server.issuer)
    const answer = authenticator.create(await options(browser))
    const held = browser.cookies.get(CHALLENGE)
    expect((await browser.post('/me/passkeys', { csrf, label: 'One', answer })).status).toBe(303)
    expect(browser.cookies.has(CHALLENGE)).toBe(false)
    if (held !== undefined) browser.cookies.set(CHALLENGE, held)
    const again = await browser.post('/me/passkeys', { csrf, label: 'Two', answer })
    expect([again.status, again.text.includes('answered before')]).toEqual([403, true])

    const mallory = await people.signedIn(await people.register())
    const token = csrfOf(await mallory.get('/me/passkeys'))
    const asked = await options(mallory, '/me/passkeys/options', { csrf: token })
    const foreign = mallory.cookies.get(CHALLENGE)
    if (foreign !== undefined) browser.cookies.set(CHALLENGE, foreign)
    const planted = new Authenticator(server.issuer).create(asked)
    expect((await browser.post('/me/passkeys', { csrf, label: 'Planted', answer: planted })).status).toBe(403)
  })

  test('without the token of the login, or by another site', async () => {
    for (const form of [{}, { csrf: 'A'.repeat(43) }]) {
      expect((await browser.post('/me/passkeys/options', form)).status).toBe(403)
      expect((await browser.post('/me/passkeys', { ...form, label: 'x', answer: '{}' })).status).toBe(403)
    }
    const from = [['Sec-Fetch-Site', 'cross-site']] as const
    expect((await browser.post('/me/passkeys/options', { csrf }, { from })).status).toBe(403)
    expect((await new Browser(server.issuer).post('/me/passkeys/options', { csrf })).status).toBe(403)
  })

  test.each([
    ['nothing', ''],
    ['no JSON', '{'],
    ['another thing', '[]'],
    ['too much', `"${'A'.repeat(20_000)}"`],
  ])('by %s', async (_, answer) => {
    await options(browser)
    expect((await browser.post('/me/passkeys', { csrf, label: 'x', answer })).status).toBe(403)
  })
})

describe('nobody is signed in by', () => {
  let authenticator: Authenticator
  beforeAll(async () => {
    authenticator = new Authenticator(server.issuer)
    expect((await add(authenticator, 'Key')).status).toBe(303)
  })
  const other = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey

  test.each<[string, AnswerDeviation]>([
    ['an answer for another origin', { origin: 'https://evil.example' }],
    ['an answer for another host', { rpId: 'evil.example' }],
    ['a challenge of the caller', { challenge: 'A'.repeat(43) }],
    ['an answer of the other ceremony', { type: 'webauthn.create' }],
    ['an answer from a frame', { crossOrigin: true }],
    ['an authenticator that verified no user', { isUserVerified: false }],
    ['the signature of another key', { key: other }],
    ['an answer that names somebody else', { userHandle: 'A'.repeat(43) }],
    ['a passkey that nobody has', { id: 'A'.repeat(22) }],
  ])('%s', async (_, deviation) => {
    const { other: where, answer } = await signIn(authenticator, deviation)
    expect([answer.status, where.cookies.has(LOGIN)]).toEqual([403, false])
  })

  test('a copy of the passkey whose counter fell behind, and the account says so', async () => {
    const counter = authenticator.counter + 10
    expect((await signIn(authenticator, { counter })).answer.status).toBe(303)
    for (const old of [counter, counter - 1, 0]) {
      const { answer } = await signIn(authenticator, { counter: old })
      expect([answer.status, answer.text.includes('may have been copied')]).toEqual([403, true])
    }
    expect((await refusedRecords())[0]).toMatchObject({
      ...{ kind: 'principal', decision: 'refused', refusal: 'sign_in_refused' },
      because: { operation: 'login.begin', method: 'passkey' },
    })
    authenticator.counter = counter
  })

  test('the same answer twice, though one browser sends both', async () => {
    // One that does not count: nothing but the challenge tells the two apart.
    const still = new Authenticator(server.issuer, { isCounting: false })
    await add(still)
    const where = new Browser(server.issuer)
    const answer = still.get(await askSignIn(where))
    const held = where.cookies.get(CHALLENGE)
    const twin = new Browser(server.issuer)
    if (held !== undefined) twin.cookies.set(CHALLENGE, held)
    const answers = await Promise.all([where, twin].map((one) => one.post('/sign-in/passkey', { answer })))
    expect(answers.map(({ status }) => status).sort()).toEqual([303, 403])
  })

  test('an answer in a browser that was not asked, or was asked for something else', async () => {
    const asked = await askSignIn(new Browser(server.issuer))
    const thief = new Browser(server.issuer)
    expect((await thief.post('/sign-in/passkey', { answer: authenticator.get(asked) })).status).toBe(403)
    const forAdding = await options(browser)
    const answer = authenticator.get({ challenge: forAdding.challenge, rpId: 'localhost' })
    expect((await browser.post('/sign-in/passkey', { answer })).status).toBe(403)
  })

  test('an answer that took too long', async () => {
    const where = new Browser(server.issuer)
    const answer = authenticator.get(await askSignIn(where))
    aheadSeconds = 301
    const late = await where.post('/sign-in/passkey', { answer }).finally(() => {
      aheadSeconds = 0
    })
    expect([late.status, late.text.includes('too long ago')]).toEqual([403, true])
  })

  test('a challenge cookie that was changed', async () => {
    const where = new Browser(server.issuer)
    const answer = authenticator.get(await askSignIn(where))
    const held = where.cookies.get(CHALLENGE)
    if (held === undefined) throw new Error('no challenge')
    const changed = `${held.value.slice(0, -2)}${held.value.endsWith('AA') ? 'BB' : 'AA'}`
    where.cookies.set(CHALLENGE, { ...held, value: changed })
    expect((await where.post('/sign-in/passkey', { answer })).status).toBe(403)
  })

  test('a form of another site', async () => {
    const from = [['Origin', 'https://evil.example']] as const
    const where = new Browser(server.issuer)
    expect((await where.post('/sign-in/passkey/options', {}, { from })).status).toBe(403)
    const answer = authenticator.get(await askSignIn(where))
    expect((await where.post('/sign-in/passkey', { answer }, { from })).status).toBe(403)
  })

  test('the passkey of a principal who is suspended', async () => {
    await people.api.call('POST', `/admin/principals/${alice}/suspend`, {})
    const { answer } = await signIn(authenticator)
    expect(answer.status).toBe(403)
    await people.api.call('POST', `/admin/principals/${alice}/resume`, {})
    expect((await signIn(authenticator)).answer.status).toBe(303)
  })
})

test('at an address that is no name there are none, and the link is offered instead', async () => {
  const numbered = await startTestServer({ issuer: 'http://127.0.0.1:1', host: '127.0.0.1' })
  try {
    const where = new Browser(`http://127.0.0.1:${numbered.port}`)
    const page = await where.get('/sign-in')
    expect(page.text).toContain('With a sign-in link')
    expect(page.text).not.toContain('data-passkey')
    const from = [['Origin', 'http://127.0.0.1:1']] as const
    expect((await where.post('/sign-in/passkey/options', {}, { from })).status).toBe(404)
  } finally {
    await numbered.close()
  }
})
