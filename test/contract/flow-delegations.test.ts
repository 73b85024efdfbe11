import { randomBytes, randomUUID } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { keyEncryption } from '../../src/adapters/keys/key-encryption.ts'
import { flowClients } from '../../src/adapters/prisma/flow-clients.ts'
import { flowDelegations } from '../../src/adapters/prisma/flow-delegations.ts'
import { oidcModels } from '../../src/adapters/prisma/oidc-models.ts'
import type { Database } from '../../src/adapters/prisma/open-database.ts'
import type { FlowDelegations } from '../../src/consent-ports.ts'
import { openTestDatabase } from '../support/database.ts'
import { insertDelegation, type Seed, seed } from './seed.ts'

let database: Database
let delegations: FlowDelegations
let story: Seed
beforeAll(async () => {
  database = await openTestDatabase()
  delegations = flowDelegations(database)
})
afterAll(() => database.close())
beforeEach(async () => {
  story = await seed(database.query)
})

/** A code that nobody has used. */
async function code(): Promise<string> {
  const id = randomBytes(32).toString('base64url')
  await oidcModels(database.query, keyEncryption(randomBytes(32))).save('AuthorizationCode', id, { jti: id }, 60)
  return id
}
const redeem = (id: string) =>
  delegations.redeem({
    ...{ model: 'AuthorizationCode', id, delegationId: story.delegation, jkt: story.key.jkt },
    ...{ recordId: randomUUID(), requestId: 'r' },
  })
const records = (kind: string) =>
  database.query(`SELECT * FROM record WHERE delegation = $1 AND kind = $2`, [story.delegation, kind])

describe('the delegation that a flow ended in', () => {
  test('of twenty that redeem its code at once one does, and that is on record once', async () => {
    const id = await code()
    const outcomes = await Promise.all(Array.from({ length: 20 }, () => redeem(id)))
    expect(outcomes.filter((outcome) => outcome === 'used_before')).toHaveLength(19)
    expect(outcomes.filter((outcome) => typeof outcome === 'object')).toEqual([
      expect.objectContaining({ id: story.delegation, principal: { id: story.principal }, agentId: story.agent }),
    ])
    expect(await records('delegation')).toEqual([
      expect.objectContaining({
        decision: 'issued',
        agent: story.agent,
        jkt: story.key.jkt,
        principal: story.principal,
      }),
    ])
    expect(await redeem(randomBytes(32).toString('base64url'))).toBe('used_before')
  })

  test.each<[string, string, (from: Seed) => string]>([
    ['it was revoked', `UPDATE delegation SET status = 'revoked' WHERE id = $1`, ({ delegation }) => delegation],
    ['it has expired', `UPDATE delegation SET expires_at = now() WHERE id = $1`, ({ delegation }) => delegation],
    ['its agent is suspended', `UPDATE agent SET status = 'suspended' WHERE id = $1`, ({ agent }) => agent],
    [
      'its principal is suspended',
      `UPDATE principal SET status = 'suspended' WHERE id = $1`,
      ({ principal }) => principal,
    ],
    ['everything is stopped', `UPDATE generation SET stopped_at = now(), stopped_by = $1`, ({ agent }) => agent],
  ])('nothing is redeemed, or recorded, once %s', async (_, sql, of) => {
    const id = await code()
    await database.query(sql, [of(story)])
    try {
      expect(await redeem(id)).toBe('fallen')
      expect(await records('delegation')).toEqual([])
      expect(await redeem(id)).toBe('used_before')
    } finally {
      await database.query('UPDATE generation SET stopped_at = NULL, stopped_by = NULL')
    }
  })

  test('is found while it lets anything happen', async () => {
    expect(await delegations.find(story.delegation)).toMatchObject({ id: story.delegation })
    expect(await delegations.find('dlg_unknown')).toBeUndefined()
    await database.query(`UPDATE agent SET status = 'retired' WHERE id = $1`, [story.agent])
    expect(await delegations.find(story.delegation)).toBeUndefined()
  })

  test('ends with what was given on from it, once, and on record', async () => {
    const child = `below-${randomUUID()}`
    const lineage = [story.parent, story.delegation, child]
    await insertDelegation(database.query, { id: child, agent: story.agent, principal: story.principal, lineage })
    await delegations.revoke(story.delegation, { recordId: randomUUID(), requestId: 'r' })
    await delegations.revoke(story.delegation, { recordId: randomUUID(), requestId: 'r' })
    const rows = await database.query<{ status: string }>(
      'SELECT status::text FROM delegation WHERE lineage @> ARRAY[$1]',
      [story.delegation],
    )
    expect(rows.map(({ status }) => status)).toEqual(['revoked', 'revoked'])
    expect(await records('revocation')).toHaveLength(1)
  })
})

test('an agent is a client of the flows as it stands in the database, while it is active', async () => {
  const { find } = flowClients(database.query)
  expect(await find(story.agent)).toEqual({
    ...{ id: story.agent, name: 'Planner', redirectUris: [], grantTypes: [], deliveryMode: 'poll' },
    notificationEndpoint: undefined,
  })
  await database.query(
    `UPDATE agent SET redirect_uris = ARRAY['https://a.example/'], grant_types = ARRAY['ciba'],
       backchannel_token_delivery_mode = 'ping', backchannel_client_notification_endpoint = 'https://a.example/p'
     WHERE id = $1`,
    [story.agent],
  )
  expect(await find(story.agent)).toMatchObject({
    ...{ redirectUris: ['https://a.example/'], grantTypes: ['ciba'], deliveryMode: 'ping' },
    notificationEndpoint: 'https://a.example/p',
  })
  await database.query(`UPDATE agent SET status = 'suspended' WHERE id = $1`, [story.agent])
  expect(await find(story.agent)).toBeUndefined()
  expect(await find(story.principal)).toBeUndefined()
})
