import { createHash } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { expectRefused } from '../http/oauth/answers.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { createWorld } from '../support/world.ts'

let server: TestServer
beforeAll(async () => {
  server = await startTestServer()
})
afterAll(() => server.close())

const digest = (text: string) => ({ s256: createHash('sha256').update(text).digest('base64url') })
const email = (change: object) => ({
  type: 'email_send',
  to: ['bob@example.com'],
  subject: 'Minutes',
  body: 'Hello',
  ...change,
})
const within = (body: unknown) => ({ type: 'email_send', to: { $any: true }, subject: { $any: true }, body })

describe('a digest fits what it is the digest of, and $any; no constraint is satisfied by what it cannot see', () => {
  test.each<{ name: string; bound: unknown; body: unknown; outcome: string }>([
    { name: '$any', bound: { $any: true }, body: digest('Hello'), outcome: 'issued' },
    { name: 'a literal with that digest', bound: 'Hello', body: digest('Hello'), outcome: 'issued' },
    { name: 'a literal with another digest', bound: 'Hello', body: digest('hello'), outcome: 'access_denied' },
    { name: '$in with one of that digest', bound: { $in: ['Hi', 'Hello'] }, body: digest('Hello'), outcome: 'issued' },
    { name: '$in without', bound: { $in: ['Hi', 'Hey'] }, body: digest('Hello'), outcome: 'access_denied' },
    { name: '$prefix', bound: { $prefix: 'Hel' }, body: digest('Hello'), outcome: 'access_denied' },
    { name: '$suffix', bound: { $suffix: 'llo' }, body: digest('Hello'), outcome: 'access_denied' },
    { name: '$path_within', bound: { $path_within: '/data' }, body: digest('/data/a'), outcome: 'access_denied' },
    {
      name: '$all of $any and $prefix',
      bound: { $all: [{ $any: true }, { $prefix: 'H' }] },
      body: digest('Hello'),
      outcome: 'access_denied',
    },
    { name: 'the value itself under $prefix', bound: { $prefix: 'Hel' }, body: 'Hello', outcome: 'issued' },
    { name: 'the digest as text', bound: 'Hello', body: digest('Hello').s256, outcome: 'access_denied' },
  ])('$name -> $outcome', async ({ bound, body, outcome }) => {
    const world = await createWorld(server, { bounds: [within(bound)] })
    const answer = await world.exchange({}, { action: email({ body }) })
    if (outcome === 'issued') expect(answer.status, answer.text).toBe(200)
    else expectRefused(answer, 400, outcome)
  })
})

test('only where the type lists it, and only in its one form', async () => {
  const world = await createWorld(server, { bounds: [within({ $any: true })] })
  const { s256 } = digest('Hello')
  for (const change of [
    { subject: { s256 } },
    { to: { s256 } },
    { to: [{ s256 }] },
    { body: { S256: s256 } },
    { body: { s256: s256.slice(1) } },
    { body: { s256: `${s256}A` } },
    { body: { s256: `${s256}=` } },
    { body: { s256: s256.replace(/^./, '+') } },
    { body: { s256: null } },
    { body: { s256, value: 'Hello' } },
    { body: [{ s256 }] },
    { body: {} },
  ]) {
    const answer = await world.exchange({}, { action: email(change) })
    expect([change, answer.body.error], answer.text).toEqual([change, 'invalid_authorization_details'])
  }
})

test('what looks like a digest among free arguments is data, and compared as data', async () => {
  const bound = { type: 'mcp_tool_call', tool: 'send', arguments: { to: 'bob@example.com' } }
  const world = await createWorld(server, { bounds: [bound] })
  const action = { type: 'mcp_tool_call', tool: 'send', arguments: { to: digest('bob@example.com') } }
  expectRefused(await world.exchange({}, { action }), 400, 'access_denied')
  const hidden = { type: 'mcp_tool_call', tool: 'send', arguments_s256: digest('{"to":"bob@example.com"}').s256 }
  expectRefused(await world.exchange({}, { action: hidden }), 400, 'access_denied')
})
