import requestContext from 'oidc-provider/lib/helpers/als.js'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { clientToken } from '../../support/clients.ts'
import { startTestServer, type TestServer } from '../../support/server.ts'

let server: TestServer
beforeAll(async () => {
  server = await startTestServer()
})
afterAll(() => server.close())

/** Node.js 20 says so of itself; later releases have no hooks that could be left on. */
const isHooked = () => Reflect.get(requestContext, 'enabled') === true

test('tokens that oidc-provider signs at the same time each have their own context, and none is left on', async () => {
  const answers = await Promise.all(Array.from({ length: 20 }, () => clientToken(server.issuer, server.admin)))
  expect(answers.map(({ status }) => status)).toEqual(Array(20).fill(200))
  expect(isHooked()).toBe(false)
  expect(requestContext.getStore()).toBeUndefined()
  expect((await clientToken(server.issuer, server.admin)).status).toBe(200)
})
