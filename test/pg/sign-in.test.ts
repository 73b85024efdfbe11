import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Query } from '../../src/adapters/prisma/open-database.ts'
import { everyRow, spellings } from '../process/enrolment-codes.ts'
import { endAll } from '../process/server-process.ts'
import { Browser, csrfOf } from '../support/browser.ts'
import { type People, peopleOf } from '../support/people.ts'
import { type Pair, startPair } from './pair.ts'

let pair: Pair
let people: People
let alice: string
beforeAll(async () => {
  pair = await startPair({ WRIT_LOG_LEVEL: 'debug' })
  people = await peopleOf(pair)
  alice = await people.register()
})
afterAll(async () => {
  await pair?.close()
  await endAll()
})

const LOGIN = '__Host-writ_login'
const at = (n: number) => new Browser(pair.issuer, `http://localhost:${pair.members[n % 2 === 0 ? 0 : 1].port}`)
const secretOf = (browser: Browser) => browser.cookies.get(LOGIN)?.value ?? ''

describe('two processes', () => {
  test('sign in one of many who use a link at once', async () => {
    for (let round = 0; round < 5; round++) {
      const { path } = await people.linkFor(alice)
      const browsers = Array.from({ length: 10 }, (_, n) => at(n))
      const statuses = (await Promise.all(browsers.map((browser) => browser.post(path)))).map(({ status }) => status)
      expect(statuses.sort()).toEqual([303, ...Array.from({ length: 9 }, () => 403)])
      expect(browsers.filter((browser) => secretOf(browser) !== '')).toHaveLength(1)
    }
  })

  test('let no link be used that is withdrawn at the same time: used or withdrawn, never both', async () => {
    for (let round = 0; round < 10; round++) {
      const { id, path } = await people.linkFor(alice)
      const links = `/admin/principals/${alice}/sign-in-links`
      const [used, withdrawn] = await Promise.all([at(round).post(path), people.api.call('DELETE', `${links}/${id}`)])
      expect(used.status === 303).toBe(!withdrawn.body.withdrawn.includes(id))
    }
  })

  test('end a login for both of them at once', async () => {
    const here = at(0)
    await here.post((await people.linkFor(alice)).path)
    const there = at(1)
    await there.post((await people.linkFor(alice)).path)
    expect((await there.get('/me/logins')).status).toBe(200)
    await here.post('/me/logins/end-others', { csrf: csrfOf(await here.get('/me/logins')) })
    expect((await there.get('/me/logins')).status).toBe(303)
    // What one gave out the other one knows.
    const moved = at(1)
    moved.cookies.set(LOGIN, { value: secretOf(here), attributes: new Map() })
    expect((await moved.get('/me/logins')).status).toBe(200)
  })

  test('suspend somebody while he signs in: he is signed in before, or not at all', async () => {
    for (let round = 0; round < 5; round++) {
      const bob = await people.register()
      const { path } = await people.linkFor(bob)
      const browser = at(round)
      await Promise.all([browser.post(path), people.api.call('POST', `/admin/principals/${bob}/suspend`, {})])
      expect((await browser.get('/me/logins')).status).toBe(303)
    }
  })
})

test('no secret of a sign-in stands in a log or in a row, not even when the database breaks', async () => {
  const secrets: string[] = []
  const offer = async () => {
    const link = await people.linkFor(alice)
    secrets.push(link.path.split('/').at(-1) ?? '')
    return link.path
  }
  const browser = at(0)
  const path = await offer()
  await browser.get(path)
  await browser.post(path)
  await browser.post(path)
  secrets.push(secretOf(browser), csrfOf(await browser.get('/me/logins')))
  await browser.get(`/nowhere${path}`)
  await browser.get(`${path}/more?code=${path}`)
  await browser.get('/me/logins', { headers: [['Referer', `${pair.issuer}${path}`]] })
  const broken = await offer()
  await pair.client.query('ALTER TABLE sign_in_link RENAME COLUMN code_hash TO gone')
  const html = [['Accept', 'text/html']] as const
  const failed = [await browser.get(broken, { headers: html }), await browser.post(broken)]
  await pair.client.query('ALTER TABLE sign_in_link RENAME COLUMN gone TO code_hash')
  expect(failed.map(({ status }) => status)).toEqual([500, 500])
  expect(failed[0]?.text).toContain('Something broke here')

  const query: Query = async (sql, params) => (await pair.client.query(sql, params as unknown[])).rows
  const rows = await everyRow(query)
  const logs = pair.members.map(({ process }) => process.stdout() + process.stderr()).join('\n')
  expect(rows).toContain('login.begin')
  expect(logs).toContain('a request failed')
  expect(secrets.every((secret) => secret.length >= 22)).toBe(true)
  for (const [name, text] of Object.entries({ rows, logs })) {
    const found = secrets.filter((secret) => spellings(secret).some((spelling) => Buffer.from(text).includes(spelling)))
    expect([name, found]).toEqual([name, []])
  }
})
