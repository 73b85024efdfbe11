import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { expectRefused } from '../http/oauth/answers.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { createWorld, type World } from '../support/world.ts'

let server: TestServer
let world: World
beforeAll(async () => {
  server = await startTestServer()
  world = await createWorld(server, {
    bounds: [
      {
        type: 'email_send',
        to: { $each: { $in: ['bob@example.com'] }, $max_items: 2 },
        subject: 'Minutes',
        body: { $any: true },
      },
      { type: 'email_send', to: ['boss@example.com'], cc: ['bob@example.com'], subject: { $any: true }, body: 'Done' },
      {
        type: 'mcp_tool_call',
        tool: { $in: ['search'] },
        arguments: { query: { $any: true }, limit: { $optional: { $max: 5 } } },
      },
    ],
  })
})
afterAll(() => server.close())

const bob = 'bob@example.com'
const boss = 'boss@example.com'
const email = (change: object) => ({ type: 'email_send', to: [bob], subject: 'Minutes', body: 'Hello', ...change })
const search = (change: object) => ({ type: 'mcp_tool_call', tool: 'search', arguments: { query: 'a', ...change } })

describe('what is allowed, and everything just beyond it', () => {
  test.each<[string, unknown]>([
    ['as granted', email({})],
    ['as often as granted', email({ to: [bob, bob] })],
    ['as the second bound has it', email({ to: [boss], cc: [bob], subject: 'Anything', body: 'Done' })],
    ['without what may be absent', search({})],
    ['with what may be present', search({ limit: 5 })],
  ])('%s: a token', async (_name, action) => {
    const answer = await world.exchange({}, { action })
    expect(answer.status, answer.text).toBe(200)
  })

  test.each<[string, unknown]>([
    ['one more recipient', email({ to: [bob, 'eve@evil.example'] })],
    ['the recipients of both bounds', email({ to: [bob, boss] })],
    ['one more than the number granted', email({ to: [bob, bob, bob] })],
    ['a copy that the first bound does not have', email({ cc: [bob] })],
    ['the recipient of one bound, the subject of another', email({ to: [boss], cc: [bob], body: 'Hello' })],
    ['the second bound without its copy', email({ to: [boss], subject: 'Anything', body: 'Done' })],
    ['a longer subject', email({ subject: 'Minutes ' })],
    ['a member more in the arguments', search({ delete: true })],
    ['more than the most', search({ limit: 5.000001 })],
    ['the most as text', search({ limit: '5' })],
    ['another tool', { ...search({}), tool: 'search_and_delete' }],
  ])('%s: access_denied', async (_name, action) => {
    expectRefused(await world.exchange({}, { action }), 400, 'access_denied')
  })

  test('an allowed action and a forbidden one together are no request at all', async () => {
    const both = (...actions: unknown[]) => world.exchange({ form: { authorization_details: JSON.stringify(actions) } })
    expectRefused(await both(email({}), email({ to: ['eve@evil.example'] })), 400, 'invalid_authorization_details')
    expectRefused(await both(email({}), email({})), 400, 'invalid_authorization_details')
  })

  test('no string of asking turns a no into a yes', async () => {
    const asked = [email({ to: ['eve@evil.example'] }), email({}), email({ to: ['eve@evil.example'] })]
    const statuses: number[] = []
    for (const action of asked) statuses.push((await world.exchange({}, { action })).status)
    expect(statuses).toEqual([400, 200, 400])
  })
})
