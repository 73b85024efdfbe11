import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { exchange } from '../../support/clients.ts'
import { type Delegating, delegating } from '../../support/delegating.ts'
import { startTestServer, type TestServer } from '../../support/server.ts'
import { claimsOf } from '../../support/world.ts'

let server: TestServer
beforeAll(async () => {
  server = await startTestServer()
})
afterAll(() => server?.close())

/** What becomes of a consent: the delegation as the API shows it. */
async function granted(story: Delegating, change: Readonly<Record<string, string | undefined>>, request = {}) {
  const { at, text } = await story.answer(await story.authorize(request), change)
  const code = new URL(at).searchParams.get('code')
  if (code === null) throw new Error(`nothing was granted: ${/notice-body">(.*?)<\/div>/s.exec(text)?.[1] ?? at}`)
  const { access_token } = (await story.redeem(code)).body
  return (await story.people.api.call('GET', `/admin/delegations/${claimsOf(access_token).jti}`)).body
}

const EMAIL = { type: 'email_send', subject: { $any: true }, body: { $any: true } }
const PAYMENT = {
  type: 'payment_initiation',
  instructedAmount: { currency: 'EUR', amount: { $min: '1.00', $max: '500.00' } },
  creditorName: { $in: ['Merchant A', 'Merchant B'] },
  creditorAccount: { iban: { $any: true } },
}

describe('the page of a consent', () => {
  test('says in plain words what, where and how far, and what cannot be destroyed by it', async () => {
    const story = await delegating(server, { bounds: [PAYMENT] })
    const { text } = await story.authorize()
    for (const words of [
      'from 1.00 to 500.00',
      'one of \u201cMerchant A\u201d, \u201cMerchant B\u201d',
      story.identifier,
    ]) {
      expect(text).toContain(words)
    }
    expect(text).toContain('For how long')
  })

  test('shows what the agent says apart, as the agent\u2019s, and as text', async () => {
    const story = await delegating(server)
    const { text } = await story.authorize({ purpose: '<b>Your bank</b> \u202e asks' })
    expect(text).toContain('What the agent says it is for')
    expect(text).toContain('&lt;b&gt;Your bank&lt;/b&gt;')
    expect(text).toContain('U+202E')
    expect(text).not.toContain('<b>')
  })

  test('HTML in a name, a value or a member is text', async () => {
    const to = { $in: ['<script>alert(1)</script>@example.com'] }
    const story = await delegating(server, {
      agent: { name: '<img src=x onerror=alert(1)>' },
      bounds: [{ ...EMAIL, to: { $any: true }, subject: { $in: ['<script>alert(1)</script>', 'b'] } }],
    })
    const { text } = await story.authorize()
    expect(text).not.toContain('<script>alert')
    expect(text).not.toContain('<img src')
    expect(to).toBeDefined()
  })

  test('thirty-two bounds of many members have a page, and can be left out one by one', async () => {
    const bounds = Array.from({ length: 32 }, (_, n) => ({ ...EMAIL, to: { $in: [[`a${n}@example.com`]] } }))
    const story = await delegating(server, { bounds })
    const left = Object.fromEntries(Array.from({ length: 31 }, (_, n) => [`bound.${n + 1}`, undefined]))
    expect((await granted(story, left)).authorization_details).toEqual([bounds[0]])
  })
})

describe('a principal allows less than is asked for', () => {
  test('a bound is left out', async () => {
    const two = [
      { ...EMAIL, to: { $any: true } },
      { type: 'http_request', method: 'GET', url: { $url_within: 'https://api.example/' } },
    ]
    const story = await delegating(server, { bounds: two })
    expect((await granted(story, { 'bound.0': undefined })).authorization_details).toEqual([two[1]])
  })

  test.each([
    ['fewer of some values', { 'b0.2.1': undefined }, { creditorName: { $in: ['Merchant A'] } }],
    [
      'a smaller maximum',
      { 'b0.1': '99.50' },
      { instructedAmount: { currency: 'EUR', amount: { $min: '1.00', $max: '99.50' } } },
    ],
    [
      'a value instead of anything',
      { 'b0.3': 'DE02100100109307118603' },
      { creditorAccount: { iban: { $in: ['DE02100100109307118603'] } } },
    ],
    [
      'a list instead of anything',
      { 'b0.3': 'DE02100100109307118603\r\n  DE02120300000000202051 \r\n\r\n' },
      { creditorAccount: { iban: { $in: ['DE02100100109307118603', 'DE02120300000000202051'] } } },
    ],
  ])('%s', async (_, change, member) => {
    const story = await delegating(server, { bounds: [PAYMENT] })
    const { authorization_details } = await granted(story, change)
    expect(authorization_details).toEqual([{ ...PAYMENT, ...member }])
  })

  test('and an exchange inside of it is issued, outside of it refused', async () => {
    const story = await delegating(server)
    const { subject_token } = await granted(story, { 'b0.0': '1', 'b0.1.1': undefined })
    const ask = (...to: string[]) =>
      exchange(server.issuer, story.agent, {
        ...{ subjectToken: subject_token, resource: story.identifier },
        action: { type: 'email_send', to, subject: '', body: '' },
      })
    expect((await ask('a@example.com')).status).toBe(200)
    expect((await ask('a@example.org')).body).toMatchObject({ error: 'access_denied' })
    expect((await ask('a@example.com', 'b@example.com')).body).toMatchObject({ error: 'access_denied' })
  })

  test('limits, a shorter time, and to be asked each time', async () => {
    const story = await delegating(server, { bounds: [PAYMENT] })
    const before = Date.now() / 1_000
    const delegation = await granted(story, {
      ...{ max_uses: '5', rate_uses: '2', rate_window: '3600', sum_max: '100.00', period: '3600', approval: 'each' },
    })
    expect(delegation.limits).toMatchObject({
      max_uses: 5,
      rates: [{ seconds: 3_600, max_uses: 2 }],
      sums: [{ member: 'instructedAmount.amount', max: '100.00', per: 'instructedAmount.currency' }],
    })
    expect(delegation.approval).toEqual({ mode: 'each' })
    expect(delegation.expires_at).toBeGreaterThan(before + 3_590)
    expect(delegation.expires_at).toBeLessThan(before + 3_660)
  })
})

describe('what cannot be granted is said, and nothing is', () => {
  test.each([
    ['nothing left', { 'bound.0': undefined }, 'Nothing is left of it'],
    ['none of the values', { 'b0.2.0': undefined, 'b0.2.1': undefined }, 'nothing of it is left'],
    ['a greater maximum', { 'b0.1': '500.01' }, 'wider than what was asked for'],
    ['a smaller minimum', { 'b0.0': '0.99' }, 'wider than what was asked for'],
    ['no decimal', { 'b0.1': 'much' }, 'must be a number or a decimal string'],
    ['a time that is not offered', { period: '1' }, 'Choose for how long'],
    ['a time longer than any', { period: String(10 * 365 * 86_400) }, 'Choose for how long'],
    ['a limit that is none', { max_uses: '-1' }, 'A limit is a whole number'],
    ['a sum of what is not there', { sum_max: '1.00', sum_member: 'amount' }, 'Choose what is to be added up'],
    ['another approval', { approval: 'outside' }, 'Choose whether you are to be asked'],
    ['no answer', { answer: 'perhaps' }, 'Say whether you allow it'],
  ])('%s', async (_, change, words) => {
    const story = await delegating(server, { bounds: [PAYMENT] })
    const page = await story.answer(await story.authorize(), change)
    expect(page.status).toBe(422)
    expect(page.text).toContain(words)
    const made = await story.people.api.call('GET', `/admin/delegations?agent=${story.agent.id}`)
    expect(made.body.items).toEqual([])
    // What was written stays, and the form can be sent again.
    const { at } = await story.answer(page, Object.fromEntries(Object.keys(change).map((name) => [name, GOOD[name]])))
    expect(new URL(at).searchParams.get('code'), page.text).toEqual(expect.any(String))
  })

  test('what changed since it was asked for is asked for anew', async () => {
    const story = await delegating(server)
    const page = await story.authorize()
    await story.people.api.call('POST', `/admin/resources/${story.identifier.slice(8, -8)}/suspend`, {})
    const answer = await story.answer(page)
    expect(answer.status).toBe(400)
    expect(answer.text).toContain('This cannot be asked for')
  })
})

/** Values that mend each of the answers above. */
const GOOD: Readonly<Record<string, string>> = {
  ...{ 'bound.0': 'on', 'b0.0': '1.00', 'b0.1': '500.00', 'b0.2.0': 'on', 'b0.2.1': 'on' },
  ...{
    period: '3600',
    max_uses: '',
    sum_max: '',
    sum_member: 'instructedAmount.amount',
    approval: 'none',
    answer: 'allow',
  },
}
