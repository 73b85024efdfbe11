import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Browser, csrfOf } from '../../support/browser.ts'
import { given, newAgent } from '../../support/chain.ts'
import { exchange, introspect, oauthRequest, send } from '../../support/clients.ts'
import { type People, peopleOf } from '../../support/people.ts'
import { startTestServer, type TestServer } from '../../support/server.ts'
import { claimsOf, createWorld, type World } from '../../support/world.ts'

let server: TestServer
let people: People
beforeAll(async () => {
  server = await startTestServer()
  people = await peopleOf(server)
})
afterAll(() => server.close())

/** A world whose principal is signed in. */
async function home(options: Parameters<typeof createWorld>[1] = {}): Promise<World & { readonly browser: Browser }> {
  const world = await createWorld(server, options)
  return { ...world, browser: await people.signedIn(world.principal) }
}

/** Opens the page that asks, and sends its form. */
async function confirm(browser: Browser, path: string) {
  const page = await browser.get(path)
  expect(page.status).toBe(200)
  return browser.post(path, { csrf: csrfOf(page) })
}

describe('what a principal sees of its own', () => {
  test('agents that act for it, what each may do in words, who granted it, and what is left', async () => {
    const { browser, agent, identifier, delegation, exchange } = await home({ delegation: { limits: { max_uses: 3 } } })
    expect((await exchange()).status).toBe(200)
    const overview = await browser.get('/me')
    expect(overview.status).toBe(200)
    expect(overview.text).toContain('Planner')
    expect(overview.text).toContain(`/me/agents/${agent.id}/stop`)
    expect(overview.text).toContain(`/me/delegations/${delegation.id}/revoke`)
    expect(overview.text).toContain('2 left')
    expect(overview.text).toContain('the administrator <code>')
    const page = await browser.get(`/me/delegations/${delegation.id}`)
    expect(page.status).toBe(200)
    expect(page.text).toContain(identifier)
    expect(page.text).toContain('at most 3 items, each an address at example.com')
    const its = await browser.get(`/me/agents/${agent.id}`)
    expect([its.status, its.text.includes(delegation.id)]).toEqual([200, true])
  })

  test('what was done and what was refused, from the record', async () => {
    const { browser, exchange, action } = await home()
    expect((await exchange()).status).toBe(200)
    expect((await exchange({}, { action: { ...action, to: ['eve@evil.example'] } })).status).toBe(400)
    const all = await browser.get('/me/activity')
    expect(all.text).toContain('bob@example.com')
    expect(all.text).toContain('eve@evil.example')
    expect(all.text).toMatch(/Refused: /)
    const refused = await browser.get('/me/activity?show=refused')
    expect(refused.text).toContain('eve@evil.example')
    expect(refused.text).not.toContain('bob@example.com')
  })

  test('pages of the record follow each other, and a cursor of another list begins anew', async () => {
    const { browser, exchange, action } = await home({ delegation: { limits: { max_uses: 100 } } })
    for (let n = 0; n < 30; n++) await exchange({}, { action: { ...action, subject: `Minutes-${n}` } })
    const first = await browser.get('/me/activity')
    const next = /href="(\/me\/activity\?cursor=[^"]+)"/.exec(first.text)?.[1]?.replaceAll('&amp;', '&')
    expect(first.text).toContain('Minutes-29')
    const second = await browser.get(next ?? '')
    expect(second.text).toContain('Minutes-0')
    expect(second.text).not.toContain('Minutes-29')
    const other = await home()
    expect((await other.browser.get(next ?? '')).text).not.toContain('Minutes-')
  })

  test('text that an agent or an administrator chose is inert', async () => {
    const nasty = '<img src=x onerror=alert(1)>\u202e'
    const { browser, exchange, action } = await home({ delegation: { purpose: '<script>alert(2)</script>' } })
    expect((await exchange({}, { action: { ...action, body: `${nasty}${'y'.repeat(10_000)}` } })).status).toBe(200)
    const page = await browser.get('/me/activity')
    expect(page.text).not.toContain('<img')
    expect(page.text).toContain('&lt;img src=x onerror=alert(1)&gt;')
    expect(page.text).toContain('U+202E')
    expect(page.text).toContain('y'.repeat(10_000))
    const overview = await browser.get('/me')
    const path = /href="(\/me\/delegations\/[^"/]+)"/.exec(overview.text)?.[1] ?? ''
    expect((await browser.get(path)).text).toContain('&lt;script&gt;alert(2)')
  })
})

describe('what a principal stops', () => {
  test('a delegation: the next exchange is refused, the token inactive, the deed on record', async () => {
    const { browser, delegation, exchange, issuer, resource, api } = await home()
    const { body } = await exchange()
    expect((await introspect(issuer, resource, body.access_token)).body.active).toBe(true)
    const path = `/me/delegations/${delegation.id}/revoke`
    const answer = await confirm(browser, path)
    expect([answer.status, answer.headers.location]).toEqual([303, `/me/delegations/${delegation.id}`])
    expect((await exchange()).body.error).toBe('invalid_grant')
    expect((await introspect(issuer, resource, body.access_token)).body).toEqual({ active: false })
    expect((await browser.get(`/me/delegations/${delegation.id}`)).text).toContain('It was revoked')
    // Twice is the same, and recorded once.
    expect((await confirm(browser, path)).status).toBe(303)
    const { body: records } = await api.call('GET', `/admin/records?delegation=${delegation.id}&decision=done`)
    const deeds = records.items.filter((item: { kind: string }) => item.kind === 'principal')
    expect(deeds).toHaveLength(1)
    expect(deeds[0].because).toMatchObject({
      operation: 'delegation.revoke',
      target: delegation.id,
      delegations_ended: 1,
    })
  })

  test('an agent: every delegation to it ends, and those of others stay', async () => {
    const { browser, agent, principal, identifier, api, exchange, delegation } = await home()
    const more = await api.call('POST', '/admin/delegations', {
      ...{ principal, agent: agent.id, resource: identifier },
      authorization_details: [
        { type: 'email_send', to: { $any: true }, subject: { $any: true }, body: { $any: true } },
      ],
    })
    expect(more.status).toBe(201)
    const other = await people.register()
    const others = await api.call('POST', '/admin/delegations', {
      ...{ principal: other, agent: agent.id, resource: identifier },
      authorization_details: [
        { type: 'email_send', to: { $any: true }, subject: { $any: true }, body: { $any: true } },
      ],
    })
    const page = await browser.get(`/me/agents/${agent.id}/stop`)
    expect(page.text).toContain('2 delegations end')
    const answer = await confirm(browser, `/me/agents/${agent.id}/stop`)
    expect([answer.status, answer.headers.location]).toEqual([303, `/me/agents/${agent.id}`])
    const use = (subjectToken: string) => exchange({}, { subjectToken })
    expect((await use(delegation.subjectToken)).body.error).toBe('invalid_grant')
    expect((await use(more.body.subject_token)).body.error).toBe('invalid_grant')
    expect((await use(others.body.subject_token)).status).toBe(200)
    expect((await browser.get('/me')).text).toContain('No agent acts for you')
    const { body: records } = await api.call('GET', `/admin/records?principal=${principal}&decision=done`)
    expect(records.items.map((item: { because: unknown }) => item.because)).toContainEqual(
      expect.objectContaining({ operation: 'agent.stop', target: agent.id, delegations_ended: 2 }),
    )
  })
})

describe('what was given on', () => {
  test.each(['revoke', 'stop'] as const)('is shown to the principal, and ends with its root: by %s', async (how) => {
    const { browser, api, ...world } = await home({ delegation: { delegable: { max_depth: 2 } } })
    const helper = await newAgent({ ...world, api })
    const bounds = [{ type: 'email_send', to: ['bob@example.com'], subject: { $any: true }, body: { $any: true } }]
    const root = { agent: world.agent, subjectToken: world.delegation.subjectToken }
    const child = await given(world.issuer, root, helper, bounds)
    const use = () => exchange(world.issuer, helper, { ...world.wish, subjectToken: child.subjectToken })
    const { body } = await use()
    expect(body.token_type).toBe('DPoP')
    expect((await browser.get('/me')).text).toContain('given on by the agent <bdi class="seen">Planner</bdi>')
    const page = await browser.get(`/me/delegations/${world.delegation.id}`)
    expect(page.text).toContain('Given on to')
    const path = how === 'stop' ? `/me/agents/${world.agent.id}/stop` : `/me/delegations/${world.delegation.id}/revoke`
    expect((await confirm(browser, path)).status).toBe(303)
    expect((await use()).body.error).toBe('invalid_grant')
    expect((await introspect(world.issuer, world.resource, body.access_token)).body).toEqual({ active: false })
    expect((await browser.get('/me')).text).toContain('No agent acts for you')
    // The agent that was given it can be stopped by the principal as well: it is told of, though nobody granted it to it.
    expect((await browser.get(`/me/agents/${helper.id}`)).status).toBe(200)
  })

  test('a resource server says what came of an action, and its words stand as its own', async () => {
    const { browser, issuer, resource, exchange: act } = await home()
    const { body } = await act()
    const { url, ...request } = oauthRequest(
      issuer,
      '/receipts',
      resource,
      { jti: claimsOf(body.access_token).jti, outcome: 'failed', detail: 'the mailbox is <full>' },
      {},
      false,
    )
    expect((await send(url, request)).status).toBe(201)
    const { text } = await browser.get('/me/activity')
    expect(text).toContain('The resource server says')
    expect(text).toContain('the mailbox is &lt;full&gt;')
    expect(text).toContain('<span class="tag warning">failed</span>')
  })
})

describe('what is not his', () => {
  const OWN_PATHS = (world: World) => [
    `/me/delegations/${world.delegation.id}`,
    `/me/delegations/${world.delegation.id}/revoke`,
    `/me/agents/${world.agent.id}`,
    `/me/agents/${world.agent.id}/stop`,
  ]

  test('is not there, and is not stopped', async () => {
    const [mine, theirs] = [await home(), await home()]
    for (const path of OWN_PATHS(theirs)) expect((await mine.browser.get(path)).status, path).toBe(404)
    const csrf = csrfOf(await mine.browser.get(`/me/delegations/${mine.delegation.id}/revoke`))
    for (const path of OWN_PATHS(theirs).filter((path) => /\/(?:revoke|stop)$/.test(path))) {
      expect((await mine.browser.post(path, { csrf })).status, path).toBe(404)
    }
    expect((await theirs.exchange()).status).toBe(200)
    expect((await mine.browser.get(`/me/activity?delegation=${theirs.delegation.id}`)).text).toContain(
      'Nothing is on record',
    )
  })

  test.each(['%00', 'a%20b', '%27%3B--', 'x'.repeat(300), '..%2f..'])('nor is %s anything', async (id) => {
    const { browser } = await home()
    for (const path of [`/me/delegations/${id}`, `/me/agents/${id}`, `/me/approvals/${id}`]) {
      expect((await browser.get(path)).status, path).toBe(404)
    }
  })
})

describe('a form of a page', () => {
  test.each([
    { name: 'without its token', form: () => ({}), from: undefined },
    { name: 'with the token of another sign-in', form: (foreign: string) => ({ csrf: foreign }), from: undefined },
    {
      name: 'from another origin',
      form: undefined,
      from: [
        ['Origin', 'https://evil.example'],
        ['Sec-Fetch-Site', 'cross-site'],
      ],
    },
    { name: 'from a sibling site', form: undefined, from: [['Sec-Fetch-Site', 'same-site']] },
    { name: 'by a program that says nothing of where it comes from', form: undefined, from: [] },
  ] as const)('$name changes nothing', async ({ form, from }) => {
    const [{ browser, delegation, exchange }, other] = [await home(), await home()]
    const path = `/me/delegations/${delegation.id}/revoke`
    const foreign = csrfOf(await other.browser.get(`/me/delegations/${other.delegation.id}/revoke`))
    const sent = form === undefined ? { csrf: csrfOf(await browser.get(path)) } : form(foreign)
    const answer = await browser.post(path, sent, from === undefined ? {} : { from })
    expect(answer.status).toBe(403)
    expect((await exchange()).status).toBe(200)
  })

  test('of nobody is refused, and a page leads to the sign-in and back', async () => {
    const { delegation } = await home()
    const stranger = new Browser(server.issuer)
    const page = await stranger.get(`/me/delegations/${delegation.id}`)
    expect([page.status, page.headers.location]).toEqual([303, `/sign-in?then=%2Fme%2Fdelegations%2F${delegation.id}`])
    expect((await stranger.post(`/me/delegations/${delegation.id}/revoke`, {})).status).toBe(403)
  })
})

describe('every page', () => {
  test('is shown inside of no other, runs no script but ours, and is kept by nobody', async () => {
    const { browser, agent, delegation } = await home()
    for (const path of [
      '/me',
      '/me/activity',
      '/me/approvals',
      `/me/agents/${agent.id}`,
      `/me/delegations/${delegation.id}`,
      '/me/delegations/none',
    ]) {
      const { headers, text } = await browser.get(path)
      const policy = String(headers['content-security-policy'])
      for (const directive of [
        "default-src 'none'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "script-src 'self'",
        "form-action 'self'",
      ]) {
        expect(policy, path).toContain(directive)
      }
      expect(policy).not.toContain('unsafe')
      expect(headers).toMatchObject({
        'x-frame-options': 'DENY',
        'cache-control': 'no-store',
        'x-content-type-options': 'nosniff',
      })
      expect(text).not.toMatch(/<script(?![^>]* src="\/assets\/)|<style|\son\w+=|style="|javascript:/)
      for (const [, asset = ''] of text.matchAll(/(?:src|href)="(\/assets\/[^"]+)"/g)) {
        const answer = await browser.get(asset)
        expect([answer.status, answer.headers['cache-control']]).toEqual([200, 'public, max-age=31536000, immutable'])
      }
    }
  })
})

describe('an address where nothing is', () => {
  test('is told to a browser by a page, and to a program as ever', async () => {
    const stranger = new Browser(server.issuer)
    const html = [['Accept', 'text/html,application/xhtml+xml,*/*;q=0.8']] as const
    const page = await stranger.get('/nowhere', { headers: html })
    expect([page.status, page.headers['content-type']]).toEqual([404, 'text/html; charset=utf-8'])
    expect(page.text).toContain('There is nothing here')
    expect((await stranger.get('/nowhere')).body.error).toBe('invalid_request')
    expect((await stranger.get('/token', { headers: html })).status).toBe(405)
    expect((await stranger.get('/admin/nowhere', { headers: html })).headers['content-type']).toContain(
      'application/problem+json',
    )
  })
})
