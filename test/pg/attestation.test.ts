import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { attestations } from '../../src/adapters/prisma/attestations.ts'
import { openPostgresDatabase } from '../../src/adapters/prisma/postgres-database.ts'
import type { AttestationEntry } from '../../src/attestation-ports.ts'
import { readConfig } from '../../src/config.ts'
import { type RunningServer, startServer } from '../../src/server.ts'
import { type Attested, attested, attestInstance, exchangeAttested } from '../support/attestation.ts'
import { newClient, seconds } from '../support/clients.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { createWorld, type World } from '../support/world.ts'
import { makeKey } from '../wire/signing.ts'

/** Two servers under one issuer on one PostgreSQL. */
let one: TestServer
let other: RunningServer
beforeAll(async () => {
  one = await startTestServer({ maxInstances: 5 })
  const { issuer, databaseUrl, dataDirectory } = one
  if (databaseUrl === undefined) throw new Error('this needs PostgreSQL')
  other = await startServer({
    ...readConfig({}),
    ...{ issuer, databaseUrl, dataDirectory, port: 0, logLevel: 'silent' as const, maxInstances: 5 },
  })
})
afterAll(async () => {
  await other?.close()
  await one?.close()
})

/** An exchange at one of the servers; its proof is for the issuer, whichever it is. */
const at = (server: RunningServer, by: Attested, { wish }: World) =>
  exchangeAttested(server.issuer, by, wish, {}, server.port)

test('an attestation of one server is good at the other, and stopping it at the one stops it at the other at once', async () => {
  for (const path of ['instances', 'keys', 'suspend'] as const) {
    const world = await createWorld(one)
    const agent = `/admin/agents/${world.agent.id}`
    const by = await attested(one.issuer, world.agent, makeKey())
    for (const server of [other, one, other]) {
      const answer = await at(server, by, world)
      expect(answer.status, answer.text).toBe(200)
    }
    const stopped = {
      instances: () => world.api.call('DELETE', `${agent}/instances/${by.key.jkt}`, {}),
      keys: () => world.api.call('DELETE', `${agent}/keys/${world.agent.key.jkt}`, {}),
      suspend: () => world.api.call('POST', `${agent}/suspend`, {}),
    }
    expect((await stopped[path]()).status).toBe(200)
    for (const server of [other, one]) {
      const answer = await at(server, by, world)
      expect([answer.status, answer.body.error], path).toEqual([401, 'invalid_client'])
    }
  }
})

/** A new instance of the world's agent, that its registered key vouches for. */
function entryOf({ agent }: World): AttestationEntry {
  const [key, iat] = [makeKey(), seconds()]
  return {
    ...{ recordId: randomUUID(), requestId: 'r', agentId: agent.id, assertionKid: agent.key.jkt, jkt: key.jkt },
    ...{ jti: randomUUID(), iat, exp: iat + 60, claimsDigest: 'd' },
    vouched: { jwk: key.jwk, until: new Date(Date.now() + 60_000), maxInstances: 5 },
  }
}

test('of many that become instances at once no more do than may be', async () => {
  const database = await openPostgresDatabase(one.databaseUrl ?? '')
  try {
    const store = attestations(database)
    for (let round = 0; round < 5; round++) {
      const own = await createWorld(one)
      // Beside each other in the database, whatever the doors make of it.
      const outcomes = await Promise.all(Array.from({ length: 16 }, () => store.record(entryOf(own))))
      expect(outcomes.filter((outcome) => outcome === 'recorded')).toHaveLength(5)
    }
  } finally {
    await database.close()
  }
  const world = await createWorld(one)
  const answers = await Promise.all(
    Array.from({ length: 16 }, () => attestInstance(one.issuer, world.agent, makeKey())),
  )
  expect(answers.map(({ status }) => status).sort()).toEqual([...Array(5).fill(200), ...Array(11).fill(400)])
})

test('no instance is left of a key that was retired while it vouched', async () => {
  const database = await openPostgresDatabase(one.databaseUrl ?? '')
  try {
    for (let round = 0; round < 10; round++) {
      const world = await createWorld(one)
      const voucher = newClient(world.agent.id)
      const path = `/admin/agents/${world.agent.id}/keys`
      expect((await world.api.call('POST', path, { jwk: voucher.key.jwk })).status).toBe(201)
      const vouching = Array.from({ length: 5 }, () => attestInstance(one.issuer, voucher, makeKey()))
      await Promise.race([vouching[round % 5], new Promise((resolve) => setTimeout(resolve, round * 3))])
      expect((await world.api.call('DELETE', `${path}/${voucher.key.jkt}`, {})).status).toBe(200)
      await Promise.all(vouching)
      const rows = await database.query(
        `SELECT kid FROM key WHERE owner_id = $1 AND vouched_by IS NOT NULL AND status = 'active'`,
        [world.agent.id],
      )
      expect(rows).toEqual([])
    }
  } finally {
    await database.close()
  }
})

test('a restore under a running server: what it remembers is refused', async () => {
  const world = await createWorld(one)
  const by = await attested(one.issuer, world.agent)
  expect((await at(one, by, world)).status).toBe(200)
  await new Promise((resolve) => setTimeout(resolve, 1_100))
  const database = await openPostgresDatabase(one.databaseUrl ?? '')
  await database.query('UPDATE generation SET restored_at = clock_timestamp() WHERE id = 1')
  await database.close()
  await new Promise((resolve) => setTimeout(resolve, 1_100))
  expect((await at(one, by, world)).body.error).toBe('invalid_dpop_proof')
  expect((await at(other, by, world)).body.error).toBe('use_fresh_attestation')
  expect((await at(one, await attested(one.issuer, world.agent), world)).status).toBe(200)
})
