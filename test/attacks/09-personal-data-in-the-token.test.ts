import { afterAll, beforeAll, expect, test } from 'vitest'
import { issued } from '../http/oauth/answers.ts'
import { introspect } from '../support/clients.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { claimsOf, createWorld } from '../support/world.ts'

let server: TestServer
beforeAll(async () => {
  server = await startTestServer()
})
afterAll(() => server.close())

const SECRET = 'Diagnosis: Ünïcode & "quotes"'
const action = { type: 'email_send', to: ['bob@example.com'], subject: 'Minutes', body: SECRET }

test('a resource that asks for digests gets no value in the token, and the value by introspection alone', async () => {
  const world = await createWorld(server, { resource: { token_content: 'digest' }, action })
  const token = await issued(world.exchange())
  expect(JSON.stringify(claimsOf(token))).not.toContain('Diagnosis')
  // SHA-256 of the UTF-8 bytes, computed apart: printf '%s' '…' | openssl dgst -sha256
  expect(claimsOf(token).authorization_details[0].body).toEqual({ s256: S256 })
  const { body } = await introspect(server.issuer, world.resource, token)
  expect(body.authorization_details[0].body).toBe(SECRET)
})

test('whoever asks without being that resource learns nothing', async () => {
  const world = await createWorld(server, { resource: { token_content: 'digest' }, action })
  const other = await createWorld(server)
  const token = await issued(world.exchange())
  for (const client of [other.resource, world.agent, server.admin]) {
    expect((await introspect(server.issuer, client, token)).body).toStrictEqual({ active: false })
  }
})

test('a value that the agent kept to itself is shown to nobody', async () => {
  const world = await createWorld(server, { action: { ...action, body: { s256: S256 } } })
  const token = await issued(world.exchange())
  const { body } = await introspect(server.issuer, world.resource, token)
  expect(body.authorization_details[0].body).toEqual({ s256: S256 })
})

const S256 = '8R6hkvrm6GDkvwyFi6473dXQXCfAxJJA5erP1AsJIC4'
