import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Browser, csrfOf } from '../../support/browser.ts'
import { openEvents } from '../../support/events.ts'
import { type People, peopleOf } from '../../support/people.ts'
import { startTestServer, type TestServer } from '../../support/server.ts'
import { createWorld } from '../../support/world.ts'

let server: TestServer
let people: People
beforeAll(async () => {
  server = await startTestServer()
  people = await peopleOf(server)
})
afterAll(() => server.close())

const open = (browser: Browser) => openEvents(browser)

describe('an open page', () => {
  test('is told how things stand, and when something was recorded for its principal', async () => {
    const { principal, exchange } = await createWorld(server)
    const page = await open(await people.signedIn(principal))
    expect([page.status, page.headers['content-type']]).toEqual([200, 'text/event-stream'])
    expect(page.headers['cache-control']).toBe('no-store')
    const first = await page.next()
    expect(first).toMatchObject({ name: 'changed', data: { waiting: 0, approvals: '' } })
    expect((await exchange()).status).toBe(200)
    const second = await page.next()
    expect(second).toMatchObject({ name: 'changed', data: { waiting: 0 } })
    expect(second).not.toEqual(first)
    page.close()
  })

  test('is told nothing of others', async () => {
    const [mine, theirs] = [await createWorld(server), await createWorld(server)]
    const page = await open(await people.signedIn(mine.principal))
    await page.next()
    expect((await theirs.exchange()).status).toBe(200)
    const silence = new Promise((resolve) => setTimeout(resolve, 2_500, 'silence'))
    expect(await Promise.race([page.next(), silence])).toBe('silence')
    page.close()
  })

  test('ends with its login', async () => {
    const browser = await people.signedIn(await people.register())
    const csrf = csrfOf(await browser.get('/me'))
    const page = await open(browser)
    await page.next()
    expect((await browser.post('/sign-out', { csrf })).status).toBe(303)
    expect(await page.next()).toEqual({ name: 'ended', data: {} })
    expect(await page.next()).toBe('closed')
  })

  test('ends with the suspension of its principal', async () => {
    const principal = await people.register()
    const page = await open(await people.signedIn(principal))
    await page.next()
    await people.api.call('POST', `/admin/principals/${principal}/suspend`, {})
    expect(await page.next()).toEqual({ name: 'ended', data: {} })
  })

  test('is one of four of its sign-in, and leaves its place to another', async () => {
    const browser = await people.signedIn(await people.register())
    const pages = await Promise.all(Array.from({ length: 5 }, () => open(browser)))
    expect(pages.map(({ status }) => status).sort()).toEqual([200, 200, 200, 200, 429])
    for (const page of pages) page.close()
    let again = await open(browser)
    for (let tries = 0; again.status === 429 && tries < 50; tries++) {
      await new Promise((resolve) => setTimeout(resolve, 50))
      again = await open(browser)
    }
    expect(again.status).toBe(200)
    again.close()
  })

  test('of nobody is none', async () => {
    const browser = await people.signedIn(await people.register())
    browser.cookies.clear()
    expect((await open(browser)).status).toBe(303)
  })
})
