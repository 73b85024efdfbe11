import { afterAll, beforeAll, expect, test } from 'vitest'
import { SAMPLES } from '../http/oauth/actions.ts'
import { expectRefused } from '../http/oauth/answers.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { createWorld, type World } from '../support/world.ts'

let server: TestServer
let world: World
beforeAll(async () => {
  server = await startTestServer()
  world = await createWorld(server, { bounds: Object.values(SAMPLES).map(({ bound }) => bound) })
})
afterAll(() => server.close())

/** The action with one more member in itself, and in each of its objects and the elements of its arrays. */
function* withUnknown(value: unknown, name: string): Generator<unknown> {
  if (Array.isArray(value)) {
    for (const [i, item] of value.entries()) for (const more of withUnknown(item, name)) yield value.with(i, more)
  } else if (typeof value === 'object' && value !== null) {
    yield { ...value, [name]: 'x' }
    for (const [key, item] of Object.entries(value)) {
      for (const more of withUnknown(item, name)) yield { ...value, [key]: more }
    }
  }
}

const NAMES = ['bcc', 'actions', 'datatypes', 'identifier', 'privileges', 'To', 'to ', 'toString', '', '$any', 's256']
const CASES = Object.entries(SAMPLES).flatMap(([type, { action }]) =>
  NAMES.flatMap((name) => [...withUnknown(action, name)].map((changed, place) => ({ type, name, place, changed }))),
)

test.each(CASES)(
  '$type with a member named "$name", place $place (RFC 9396 §5)',
  async ({ type, name, place, changed }) => {
    const answer = await world.exchange({}, { action: changed })
    // The arguments of a tool are free: there it is the bound that does not have the member.
    const isFree = type === 'mcp_tool_call' && place === 1 && name !== '$any'
    expectRefused(answer, 400, isFree ? 'access_denied' : 'invalid_authorization_details')
  },
)

test('the actions themselves are allowed', async () => {
  for (const { action } of Object.values(SAMPLES)) {
    const answer = await world.exchange({}, { action })
    expect(answer.status, answer.text).toBe(200)
  }
})
