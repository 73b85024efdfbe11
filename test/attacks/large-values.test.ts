import { afterAll, beforeAll, expect, test } from 'vitest'
import { startTestServer, type TestServer } from '../support/server.ts'
import { createWorld } from '../support/world.ts'

let server: TestServer
beforeAll(async () => {
  server = await startTestServer()
})
afterAll(() => server.close())

/** 25 objects in one another with long names, around arrays of zeros: thousands of characters lead to each element. */
function deepValue(nameCharacters: number, bytes: number): unknown {
  const zeros = (count: number) => new Array(Math.min(900, Math.max(1, count))).fill(0)
  const perLevel = Math.floor((bytes - 25 * (nameCharacters + 20)) / 25 / 2)
  let value: unknown = { end: 0 }
  for (let level = 0; level < 25; level++) {
    value = { [`${'n'.repeat(nameCharacters)}${level}`]: value, zeros: zeros(perLevel) }
  }
  return { q: value }
}

// An action like these once cost a process minutes: every path of it was written out to find the one that is named.
test.each([{ nameCharacters: 300 }, { nameCharacters: 1_200 }])(
  'a large action with names of $nameCharacters characters is refused at once',
  async ({ nameCharacters }) => {
    const world = await createWorld(server, {
      bounds: [
        { type: 'mcp_tool_call', tool: 'search', arguments: { q: { $any: true } } },
        { type: 'mcp_tool_call', tool: 'find', arguments: { q: { $any: true } } },
      ],
      action: { type: 'mcp_tool_call', tool: 'search', arguments: { q: 1 } },
    })
    const action = { type: 'mcp_tool_call', tool: 'other', arguments: deepValue(nameCharacters, 60_000) }
    const before = process.cpuUsage()
    const answer = await world.exchange({}, { action })
    const { user } = process.cpuUsage(before)
    expect([answer.status, answer.body.error], answer.text).toEqual([400, 'access_denied'])
    console.log(`names of ${nameCharacters}: ${Math.round(user / 1_000)} ms of CPU`)
    // Generous: it once was minutes.
    expect(user / 1_000).toBeLessThan(5_000)
  },
)
