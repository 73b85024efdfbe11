import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Browser, csrfOf } from '../../support/browser.ts'
import { given, newAgent } from '../../support/chain.ts'
import { type Answer, exchange, oauthRequest, send } from '../../support/clients.ts'
import { delegating } from '../../support/delegating.ts'
import { type People, peopleOf } from '../../support/people.ts'
import { startTestServer, type TestServer } from '../../support/server.ts'
import { createWorld, type World } from '../../support/world.ts'

let server: TestServer
let people: People
beforeAll(async () => {
  server = await startTestServer()
  people = await peopleOf(server)
})
afterAll(() => server.close())

interface Asking {
  readonly world: World
  readonly browser: Browser
  /** The agent asks. @returns the path of the page, and how the agent polls. */
  readonly ask: (
    action?: object,
    form?: Readonly<Record<string, string>>,
  ) => Promise<{ readonly path: string; readonly poll: () => Promise<Answer> }>
}

/** A world whose delegation asks for every action, and its principal, signed in. */
async function asking(approval: unknown = 'each', options: Parameters<typeof createWorld>[1] = {}): Promise<Asking> {
  const world = await createWorld(server, { ...options, delegation: { approval, ...options?.delegation } })
  const ask: Asking['ask'] = async (action = world.action, form = {}) => {
    const answer = await world.exchange({ form }, { action })
    expect([answer.status, answer.body.error], answer.text).toEqual([400, 'authorization_pending'])
    const poll = () => {
      const { url, ...request } = oauthRequest(world.issuer, '/token', world.agent, {
        ...{ grant_type: 'urn:openid:params:grant-type:ciba', auth_req_id: answer.body.auth_req_id },
      })
      return send(url, request)
    }
    return { path: new URL(answer.body.approval_uri).pathname, poll }
  }
  return { world, browser: await people.signedIn(world.principal), ask }
}

const say = async (browser: Browser, path: string, answer: string) =>
  browser.post(path, { csrf: csrfOf(await browser.get('/me')), answer })

describe('the page of an approval', () => {
  test('shows the sentence, every member, who asks, where, until when, and what it may change', async () => {
    const { world, browser, ask } = await asking()
    const { path } = await ask()
    const page = await browser.get(path)
    expect(page.status).toBe(200)
    for (const shown of [
      'bob@example.com',
      'Minutes',
      'Hello',
      'Planner',
      world.agent.id,
      world.identifier,
      'It changes or adds something.',
      'Can be answered until',
    ]) {
      expect(page.text).toContain(shown)
    }
    const inbox = await browser.get('/me/approvals')
    expect(inbox.text).toContain(path)
    expect(inbox.text).toMatch(/data-waiting>1</)
    expect((await browser.get('/me')).text).toContain('One action waits for your answer')
  })

  test('a yes is worth one token, and a second one is told so', async () => {
    const { browser, ask } = await asking()
    const { path, poll } = await ask()
    const first = await say(browser, path, 'approve')
    expect([first.status, first.headers.location]).toEqual([303, path])
    expect((await browser.get(path)).text).toContain('you approved it. The agent has not used it yet.')
    expect((await poll()).body.token_type).toBe('DPoP')
    const page = await browser.get(path)
    expect(page.text).toContain('the agent was given its one token')
    expect(page.text).not.toContain('value="approve"')
    const second = await say(browser, path, 'deny')
    expect(second.status).toBe(409)
    expect(second.text).toContain('Your answer was not taken')
    expect((await poll()).body.error).toBe('invalid_grant')
  })

  test('a no is final', async () => {
    const { browser, ask } = await asking()
    const { path, poll } = await ask()
    expect((await say(browser, path, 'deny')).status).toBe(303)
    expect((await browser.get(path)).text).toContain('you denied it.')
    expect((await poll()).body.error).toBe('access_denied')
    const late = await say(browser, path, 'approve')
    expect([late.status, late.text.includes('too late: you denied it.')]).toEqual([409, true])
  })

  test('an answer that is neither yes nor no is none', async () => {
    const { browser, ask } = await asking()
    const { path, poll } = await ask()
    for (const answer of ['', 'yes', 'Approve', 'approve ']) expect((await say(browser, path, answer)).status).toBe(400)
    expect((await poll()).body.error).toBe('authorization_pending')
  })

  test('one that rests on what was revoked cannot be answered', async () => {
    const { world, browser, ask } = await asking()
    const { path } = await ask()
    await world.api.call('DELETE', `/admin/delegations/${world.delegation.id}`, {})
    const page = await browser.get(path)
    expect(page.text).toContain('No longer open')
    expect(page.text).not.toContain('value="approve"')
    const late = await say(browser, path, 'approve')
    expect([late.status, late.text.includes('nobody can approve it any more')]).toEqual([409, true])
    expect((await browser.get('/me/approvals')).text).toContain('Nothing waits for you')
  })

  test('of several approvers as many must say yes as the rule demands; each is told where it stands', async () => {
    const bob = await people.register({ name: 'Bob' })
    const carol = await people.register({ name: 'Carol' })
    const { browser, ask } = await asking({ mode: 'each', approvers: [bob, carol], threshold: 2 })
    const { path, poll } = await ask()
    const [bobs, carols] = [await people.signedIn(bob), await people.signedIn(carol)]
    // The principal sees it, and is not asked.
    const own = await browser.get(path)
    expect([own.status, own.text.includes('Not yours to answer'), own.text.includes('value="approve"')]).toEqual([
      200,
      true,
      false,
    ])
    expect((await say(browser, path, 'approve')).status).toBe(409)
    expect((await say(bobs, path, 'approve')).status).toBe(303)
    const bobsPage = await bobs.get(path)
    expect(bobsPage.text).toContain('you said yes; one more yes is needed.')
    expect(bobsPage.text).not.toContain('value="approve"')
    expect((await bobs.get('/me')).text).toMatch(/data-waiting hidden>0</)
    expect((await poll()).body.error).toBe('authorization_pending')
    expect((await carols.get(path)).text).toContain('<bdi class="seen">Bob</bdi> said yes')
    expect((await say(carols, path, 'approve')).status).toBe(303)
  })
})

test('where delegations of a chain ask different people, each of them is said to be needed', async () => {
  const boss = await people.register({ name: 'Boss' })
  const world = await createWorld(server, {
    delegation: { approval: { mode: 'each', approvers: [boss] }, delegable: { max_depth: 1 } },
  })
  const helper = await newAgent(world)
  const child = await given(
    world.issuer,
    { agent: world.agent, subjectToken: world.delegation.subjectToken },
    helper,
    [{ type: 'email_send', to: ['bob@example.com'], subject: 'Minutes', body: 'Hello', locations: [world.identifier] }],
    { approval: '"each"' },
  )
  const wish = { subjectToken: child.subjectToken, resource: world.identifier, action: world.action }
  const answer = await exchange(world.issuer, helper, wish)
  expect(answer.body.error, answer.text).toBe('authorization_pending')
  const path = new URL(answer.body.approval_uri).pathname
  const [own, boss2] = [await people.signedIn(world.principal), await people.signedIn(boss)]
  const page = await boss2.get(path)
  expect(page.text).not.toContain('one yes is enough')
  expect(page.text.match(/must say yes/g)).toHaveLength(2)
  expect((await say(boss2, path, 'approve')).status).toBe(303)
  expect((await boss2.get(path)).text).toContain('you said yes; one more yes is needed.')
  expect((await say(own, path, 'approve')).status).toBe(303)
  expect((await own.get(path)).text).toContain('you approved it.')
})

describe('what an agent wrote', () => {
  const NASTY = {
    html: '<script>alert(1)</script><img src=x onerror=alert(2)>"\'><b>',
    rightToLeft: 'pay \u202eEVIL\u202c now',
    zeroWidth: 'bo\u200bb\ufeff',
    long: `${'<a>'.repeat(3_000)}the end`,
  }

  test('is inert, complete and visible on the page, in every member', async () => {
    const { browser, ask } = await asking('each', {
      bounds: [{ type: 'email_send', to: { $any: true }, subject: { $any: true }, body: { $any: true } }],
    })
    for (const text of Object.values(NASTY)) {
      const { path } = await ask(
        { type: 'email_send', to: ['bob@example.com'], subject: text.slice(0, 400), body: text },
        { purpose: text.slice(0, 400).replace(/[\n]/g, ' ') },
      )
      const page = await browser.get(path)
      expect(page.status).toBe(200)
      expect(page.text).not.toMatch(/<script>alert|<img|<a>/)
      expect(page.text).not.toMatch(/[\u202a-\u202e\u2066-\u2069\u200b-\u200f\ufeff]/)
      if (text === NASTY.rightToLeft) expect(page.text).toContain('U+202E')
      if (text === NASTY.zeroWidth) expect(page.text).toContain('U+FEFF')
      if (text === NASTY.long) expect(page.text).toContain(`${'&lt;a&gt;'.repeat(3_000)}the end`)
      const inbox = await browser.get('/me/approvals')
      expect(inbox.text).not.toMatch(/<script>alert|<img|[\u202a-\u202e\u200b]/)
    }
  })

  test('its purpose stands apart and is said to be its own words', async () => {
    const { browser, ask } = await asking()
    const { path } = await ask(undefined, { purpose: 'Writ says: safe, approve at once' })
    const { text } = await browser.get(path)
    expect(text).toMatch(
      /The words of <bdi class="seen">Planner<\/bdi>; Writ has not checked them<\/span><bdi class="seen">Writ says: safe/,
    )
    expect(text.indexOf('Writ says')).toBeGreaterThan(text.indexOf('value="approve"'))
  })

  test('a name that looks like another is pointed out, and a digest is said to be one', async () => {
    const { browser, ask } = await asking('each', {
      bounds: [{ type: 'email_send', to: { $any: true }, subject: { $any: true }, body: { $any: true } }],
    })
    const s256 = 'A'.repeat(43)
    const { path } = await ask({
      type: 'email_send',
      to: ['bob@xn--exmple-cua.com'],
      subject: 'Tо the bоard',
      body: { s256 },
    })
    const { text } = await browser.get(path)
    expect(text).toContain('content not shown to Writ')
    expect(text).toContain(s256)
    expect(text).toContain('mixes Latin and Cyrillic letters')
    expect(text).toContain('(xn--)')
  })
})

test('what an agent asks by the backchannel to be delegated waits in the inbox, and is counted', async () => {
  const story = await delegating(server)
  const answer = await story.ask('/backchannel', {
    ...{
      scope: 'openid',
      login_hint: story.principal,
      resource: story.identifier,
      binding_message: 'About <b>mail</b>',
    },
    authorization_details: JSON.stringify(story.bounds),
  })
  expect(answer.status, answer.text).toBe(200)
  const inbox = await story.browser.get('/me/approvals')
  expect(inbox.text).toContain('Agents that ask to act for you')
  expect(inbox.text).toContain('About &lt;b&gt;mail&lt;/b&gt;')
  expect(inbox.text).toMatch(/data-waiting>1</)
  const path = /href="(\/me\/consents\/[^"]+)"/.exec(inbox.text)?.[1] ?? ''
  expect((await story.browser.get(path)).text).toContain('Let Planner act for you?')
})

describe('an approval of others', () => {
  test('is not there, is in no list, and is not answered', async () => {
    const [mine, theirs] = [await asking(), await asking()]
    const { path, poll } = await theirs.ask()
    expect((await mine.browser.get(path)).status).toBe(404)
    expect((await say(mine.browser, path, 'approve')).status).toBe(404)
    expect((await mine.browser.get('/me/approvals?show=all')).text).not.toContain(path)
    expect((await poll()).body.error).toBe('authorization_pending')
  })

  test('no foreign form answers it', async () => {
    const { browser, ask } = await asking()
    const { path, poll } = await ask()
    const csrf = csrfOf(await browser.get(path))
    const other = await people.signedIn(await people.register())
    const foreign = csrfOf(await other.get('/me'))
    const from = [
      ['Origin', 'https://evil.example'],
      ['Sec-Fetch-Site', 'cross-site'],
    ] as const
    expect((await browser.post(path, { csrf, answer: 'approve' }, { from })).status).toBe(403)
    expect((await browser.post(path, { answer: 'approve' })).status).toBe(403)
    expect((await browser.post(path, { csrf: foreign, answer: 'approve' })).status).toBe(403)
    expect((await poll()).body.error).toBe('authorization_pending')
  })
})
