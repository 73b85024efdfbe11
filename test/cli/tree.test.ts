import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { drawTree, type ShownNode } from '../../src/cli/explain/draw-tree.ts'
import { given, type Holder, newAgent } from '../support/chain.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { claimsOf, createWorld, type World } from '../support/world.ts'
import { at, writ } from './terminal.ts'

let server: TestServer
let world: World
let holders: readonly [Holder, Holder, Holder, Holder]
beforeAll(async () => {
  server = await startTestServer()
  world = await createWorld(server, { delegation: { delegable: { max_depth: 2 } } })
  const root = { agent: world.agent, subjectToken: world.delegation.subjectToken }
  const a = await given(server.issuer, root, await newAgent(world, 'a'), [BOUND], { delegable: '{"max_depth":1}' })
  const b = await given(server.issuer, a, await newAgent(world, 'b'), [BOUND])
  holders = [root, a, b, await given(server.issuer, root, await newAgent(world, 'c'), [BOUND])]
})
afterAll(() => server?.close())

const any = { $any: true }
const BOUND = {
  type: 'email_send',
  to: { $each: { $in: ['bob@example.com'] }, $max_items: 1 },
  subject: any,
  body: 'Hi',
}
const idOf = ({ subjectToken }: Holder): string => claimsOf(subjectToken).jti
const steady = (text: string) => text.replace(/until \S+ \(in \d+ \w+\)/g, 'until <time>')

describe('writ delegations tree', () => {
  test('draws who has it from whom: agent, state, end, id, bounds', async () => {
    const { code, out, err } = await writ(['delegations', 'tree', idOf(holders[0])], { env: at(server) })
    expect([code, err]).toEqual([0, ''])
    const [root, a, b, c] = holders.map((holder) => `${holder.agent.id}  active  until <time>  ${idOf(holder)}`)
    const narrow = 'email_send: to at most 1 item, each “bob@example.com”; body “Hi”; subject anything'
    const wide = 'email_send: to at most 3 items, each an address at example.com; body anything; subject anything'
    expect(
      steady(out)
        .split('\n')
        .map((line) => line.trimEnd()),
    ).toEqual([
      root,
      `│    ${wide}`,
      `├─ ${a}`,
      `│  │    ${narrow}`,
      `│  └─ ${b}`,
      `│          ${narrow}`,
      `└─ ${c}`,
      `        ${narrow}`,
      '',
    ])
  })

  test('says what is not in force, and why; goes on where it was cut', async () => {
    await world.api.call('POST', `/admin/agents/${holders[1].agent.id}/suspend`, { reason: 'test' })
    const { out } = await writ(['delegations', 'tree', idOf(holders[0]), '--limit', '3'], { env: at(server) })
    await world.api.call('POST', `/admin/agents/${holders[1].agent.id}/resume`, {})
    expect(out).toMatch(new RegExp(`${holders[1].agent.id}  agent suspended`))
    expect(out).toMatch(new RegExp(`${holders[2].agent.id}  not in force`))
    const [, cursor = ''] = /--cursor (\S+) to go on/.exec(out) ?? []
    const rest = await writ(['delegations', 'tree', idOf(holders[0]), '--cursor', cursor, '--json'], {
      env: at(server),
    })
    const items = JSON.parse(rest.out).items.map(({ id }: { id: string }) => id)
    expect(items).toEqual([idOf(holders[3])])
  })

  test('of a delegation that is none: the server’s words', async () => {
    const { code, err } = await writ(['delegations', 'tree', 'dlg_none'], { env: at(server) })
    expect(code).toBe(1)
    expect(err).toMatch(/there is no such delegation/)
  })
})

test('a name that a terminal would obey is shown, not obeyed; a long bound is cut', () => {
  const node: ShownNode = {
    ...{ id: 'dlg_1', depth: 0, agent: 'a', agent_status: 'active', status: 'active', in_force: true, expires_at: 4e9 },
    authorization_details: [
      { type: 'x\u001b[2J', locations: ['https://a.example'], a: 'y'.repeat(300) },
      { type: 'z' },
    ],
  }
  const [, first = '', second] = drawTree([node], { paint: (_, text) => text, now: new Date(0) })
  expect(first).toMatch(/^ {5}x⟨U\+001B⟩\[2J at https:\/\/a\.example: a “y+…$/)
  expect(first.length).toBeLessThan(210)
  expect(second).toBe('     z: no members')
})
