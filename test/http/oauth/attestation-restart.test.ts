import { afterAll, beforeAll, expect, test } from 'vitest'
import { openDatabase } from '../../../src/adapters/prisma/open-database.ts'
import { startServer } from '../../../src/server.ts'
import { attested, attestedRequest, exchangeAttested } from '../../support/attestation.ts'
import { startTestServer, type TestServer } from '../../support/server.ts'
import { createWorld, type World } from '../../support/world.ts'
import { makeKey } from '../../wire/signing.ts'
import { expectRefused } from './answers.ts'

/** One database and data directory, and servers on it one after the other. */
let first: TestServer
let world: World
beforeAll(async () => {
  first = await startTestServer()
  world = await createWorld(first)
})
afterAll(() => first.close())

const PORT = { port: 0 }

async function withServer<T>(settings: object, work: (issuer: string) => Promise<T>): Promise<T> {
  const { readConfig } = await import('../../../src/config.ts')
  const { dataDirectory, databaseUrl } = first
  const base = { ...readConfig({}), ...PORT, dataDirectory, logLevel: 'silent' as const }
  const server = await startServer({ ...base, ...(databaseUrl !== undefined && { databaseUrl }), ...settings })
  try {
    return await work(server.issuer)
  } finally {
    await server.close()
  }
}

test('an attestation outlives its server, and neither another issuer nor the restore of its database', async () => {
  const issuer = first.issuer
  const { port } = first
  const by = await attested(issuer, world.agent)
  const instance = await attested(issuer, world.agent, makeKey())
  await first.stop()

  await withServer({ port }, async () => {
    for (const one of [by, instance]) {
      const answer = await exchangeAttested(issuer, one, world.wish)
      expect(answer.status, answer.text).toBe(200)
    }
  })

  // The same keys and another name: what the one signed is nothing to the other.
  await withServer({ issuer: 'http://localhost:1', port }, async () => {
    const there = { ...by, id: world.agent.id }
    const answer = await attestedRequest(issuer, '/revoke', there, { token: 'x' })
    expectRefused(answer, 401, 'invalid_client')
  })

  const database = await openDatabase(first)
  await database.query('UPDATE generation SET restored_at = clock_timestamp() WHERE id = 1')
  await database.close()
  await new Promise((resolve) => setTimeout(resolve, 1_100))
  await withServer({ port }, async () => {
    for (const one of [by, instance]) {
      expectRefused(await exchangeAttested(issuer, one, world.wish), 400, 'use_fresh_attestation')
    }
    expect((await exchangeAttested(issuer, await attested(issuer, world.agent), world.wish)).status).toBe(200)
    // The instance is there, and is vouched for once more.
    const again = await attested(issuer, world.agent, instance.key)
    expect((await exchangeAttested(issuer, again, world.wish)).status).toBe(200)
  })
})
