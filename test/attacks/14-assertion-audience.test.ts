import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { expectRefused } from '../http/oauth/answers.ts'
import { clientToken, introspect, revoke } from '../support/clients.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { createWorld, type World } from '../support/world.ts'

let server: TestServer
let world: World
beforeAll(async () => {
  server = await startTestServer()
  world = await createWorld(server)
})
afterAll(() => server.close())

/** Everything that other servers accept as well (draft-ietf-oauth-rfc7523bis). */
const audiences: readonly [string, (issuer: string) => unknown][] = [
  ['the token endpoint', (issuer) => `${issuer}/token`],
  ['the endpoint that is asked', (issuer) => `${issuer}/introspect`],
  ['a list with the issuer alone', (issuer) => [issuer]],
  ['a list with the issuer and another', (issuer) => [issuer, 'https://evil.example']],
  ['a list with the token endpoint', (issuer) => [`${issuer}/token`]],
  ['an empty list', () => []],
  ['another server', () => 'https://evil.example'],
  ['the issuer with a slash', (issuer) => `${issuer}/`],
  ['the issuer in upper case', (issuer) => issuer.toUpperCase()],
  ['the issuer by another name', (issuer) => issuer.replace('localhost', '127.0.0.1')],
  ['an object', (issuer) => ({ 0: issuer })],
  ['nothing', () => undefined],
  ['null', () => null],
]

describe.each(audiences)('an assertion for %s', (_name, audience) => {
  test('is refused at every door', async () => {
    const deviation = () => ({ assertionClaims: { aud: audience(server.issuer) } })
    expectRefused(await world.exchange(deviation()), 401, 'invalid_client')
    expectRefused(await clientToken(server.issuer, world.agent, deviation()), 401, 'invalid_client')
    expectRefused(await introspect(server.issuer, world.resource, 'x', deviation()), 401, 'invalid_client')
    expectRefused(await revoke(server.issuer, world.agent, 'x', deviation()), 401, 'invalid_client')
  })
})

test('one for the issuer, as one string, is taken', async () => {
  expect((await world.exchange({ assertionClaims: { aud: server.issuer } })).status).toBe(200)
})
