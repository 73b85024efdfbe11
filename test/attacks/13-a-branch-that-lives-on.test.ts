import { afterAll, beforeAll, expect, test } from 'vitest'
import { expectRefused, issued } from '../http/oauth/answers.ts'
import { given, type Holder, newAgent } from '../support/chain.ts'
import { exchange, introspect, revoke } from '../support/clients.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { createWorld, type World } from '../support/world.ts'

/** Trap 13: cascading revocation misses a branch. (Random trees: test/property/chains.test.ts, test/contract/chains.test.ts.) */

const any = { $any: true }
const BOUND = { type: 'email_send', to: { $each: any, $max_items: 1 }, subject: any, body: any }

let server: TestServer
let world: World
beforeAll(async () => {
  server = await startTestServer()
})
afterAll(() => server.close())

/** Two children, two of each, one more below the first: parents by index. */
const PARENTS = [undefined, 0, 0, 1, 1, 2, 2, 3] as const
const isBelow = (node: number | undefined, victim: number): boolean =>
  node !== undefined && (node === victim || isBelow(PARENTS[node], victim))

test.each([1, 2, 3, 0])('the end of node %i ends every branch below it and none beside it', async (victim) => {
  world = await createWorld(server, { bounds: [BOUND], delegation: { delegable: { max_depth: 3 } } })
  const nodes: Holder[] = [{ agent: world.agent, subjectToken: world.delegation.subjectToken }]
  for (const parent of PARENTS.slice(1)) {
    const from = nodes[parent ?? 0] as Holder
    const depth = [2, 1, 1][parent ?? 0] ?? 0
    const delegable = JSON.stringify({ max_depth: depth })
    nodes.push(await given(server.issuer, from, await newAgent(world), [BOUND], { delegable }))
  }
  const mint = ({ agent, subjectToken }: Holder) =>
    exchange(server.issuer, agent, { subjectToken, resource: world.identifier, action: world.action })
  const tokens = await Promise.all(nodes.map((node) => issued(mint(node))))
  const { agent, subjectToken } = nodes[victim] as Holder
  expect((await revoke(server.issuer, agent, subjectToken)).status).toBe(200)
  for (const [n, node] of nodes.entries()) {
    const isOver = isBelow(n, victim)
    const { body } = await introspect(server.issuer, world.resource, tokens[n] ?? '')
    expect([n, body.active]).toEqual([n, !isOver])
    const answer = await mint(node)
    if (isOver) expectRefused(answer, 400, 'invalid_grant')
    else expect(answer.status).toBe(200)
  }
})
