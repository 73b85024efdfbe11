import { createHash, randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { keyEncryption } from '../../src/adapters/keys/key-encryption.ts'
import { oidcModels, takeConsent } from '../../src/adapters/prisma/oidc-models.ts'
import type { Database } from '../../src/adapters/prisma/open-database.ts'
import { prune } from '../../src/adapters/prisma/prune.ts'
import type { OidcModels } from '../../src/consent-ports.ts'
import { openTestDatabase } from '../support/database.ts'

let database: Database
let models: OidcModels
const encryption = keyEncryption(randomBytes(32))
beforeAll(async () => {
  database = await openTestDatabase()
  models = oidcModels(database.query, encryption)
})
afterAll(() => database.close())

const newId = () => randomBytes(32).toString('base64url')
const handleOf = (id: string) => createHash('sha256').update(id).digest('base64url')
const rows = () => database.query<Record<string, unknown>>('SELECT * FROM oidc_model')

describe('what oidc-provider keeps', () => {
  test('is found by its id, and nothing of id or content can be read in the database', async () => {
    const id = newId()
    await models.save('AuthorizationCode', id, { jti: id, grantId: 'dlg_1', secret: 'of the agent' }, 60)
    expect(await models.find('AuthorizationCode', id)).toEqual({ jti: id, grantId: 'dlg_1', secret: 'of the agent' })
    expect(await models.find('DeviceCode', id)).toBeUndefined()
    expect(await models.find('AuthorizationCode', newId())).toBeUndefined()
    const text = JSON.stringify(await rows(), (_, value) =>
      value instanceof Uint8Array ? Buffer.from(value).toString('latin1') : value,
    )
    for (const word of [id, 'of the agent', 'dlg_1']) expect(text).not.toContain(word)
  })

  test('is used up once, of fifty at a time by one, and stays so when it is written again', async () => {
    const id = newId()
    await models.save('AuthorizationCode', id, { jti: id }, 60)
    const used = await Promise.all(Array.from({ length: 50 }, () => models.consume('AuthorizationCode', id)))
    expect(used.filter(Boolean)).toHaveLength(1)
    await models.save('AuthorizationCode', id, { jti: id, grantId: 'dlg_2' }, 60)
    expect(await models.find('AuthorizationCode', id)).toEqual({
      jti: id,
      grantId: 'dlg_2',
      consumed: expect.any(Number),
    })
    expect(await models.consume('AuthorizationCode', id)).toBe(false)
    expect(await models.consume('AuthorizationCode', newId())).toBe(false)
  })

  test('is found by user code and by uid, and removed by id and by grant', async () => {
    const [device, other] = [newId(), newId()]
    await models.save('DeviceCode', device, { jti: device, userCode: 'BCDFGHJK', grantId: 'dlg_3' }, 60)
    expect(await models.findByUserCode('BCDFGHJK')).toMatchObject({ jti: device })
    expect(await models.findByUserCode('BCDFGHJL')).toBeUndefined()
    await models.save('Interaction', other, { jti: other, uid: 'some-uid', grantId: 'dlg_3' }, 60)
    expect(await models.findByUid('Interaction', 'some-uid')).toMatchObject({ jti: other })
    await models.removeByGrant('DeviceCode', 'dlg_3')
    expect(await models.find('DeviceCode', device)).toBeUndefined()
    expect(await models.find('Interaction', other)).toBeDefined()
    await models.remove('Interaction', other)
    expect(await models.find('Interaction', other)).toBeUndefined()
  })

  test('one sealed row in the place of another cannot be opened', async () => {
    const [one, two] = [newId(), newId()]
    await models.save('AuthorizationCode', one, { jti: one }, 60)
    await models.save('AuthorizationCode', two, { jti: two }, 60)
    const hash = (id: string) => createHash('sha256').update(id).digest()
    await database.query(
      'UPDATE oidc_model SET sealed = (SELECT sealed FROM oidc_model WHERE id_hash = $1) WHERE id_hash = $2',
      [hash(one), hash(two)],
    )
    await expect(models.find('AuthorizationCode', two)).rejects.toThrow(/cannot be opened/)
  })

  test('waits for the principal whom it names, until it is answered or over', async () => {
    const model = 'BackchannelAuthenticationRequest'
    const [mine, other, late] = [newId(), newId(), newId()]
    await models.save(model, mine, { jti: mine, accountId: 'alice', clientId: 'planner' }, 60)
    await models.save(model, other, { jti: other, accountId: 'bob' }, 60)
    await models.save(model, late, { jti: late, accountId: 'alice' }, -1)
    expect(await models.waitingFor('alice')).toEqual([
      expect.objectContaining({
        handle: handleOf(mine),
        isAnswered: false,
        payload: expect.objectContaining({ jti: mine }),
      }),
    ])
    expect(await models.findConsent(model, handleOf(late))).toBeUndefined()
    const taken = await Promise.all(
      Array.from({ length: 10 }, () => database.transaction((query) => takeConsent(query, model, handleOf(mine)))),
    )
    expect(taken.filter(Boolean)).toHaveLength(1)
    expect(await models.waitingFor('alice')).toEqual([])
    expect(await models.findConsent(model, handleOf(mine))).toMatchObject({ isAnswered: true })
    expect(await takeConsent(database.query, model, handleOf(late))).toBe(false)
  })

  test('an answer that is rolled back was none', async () => {
    const id = newId()
    await models.save('Interaction', id, { jti: id }, 60)
    await expect(
      database.transaction(async (query) => {
        expect(await takeConsent(query, 'Interaction', handleOf(id))).toBe(true)
        throw new Error('refused after all')
      }),
    ).rejects.toThrow('refused after all')
    expect(await takeConsent(database.query, 'Interaction', handleOf(id))).toBe(true)
  })

  test('goes when it has been over for an hour', async () => {
    const [old, fresh] = [newId(), newId()]
    await models.save('AuthorizationCode', old, { jti: old }, -3_700)
    await models.save('AuthorizationCode', fresh, { jti: fresh }, -3_500)
    await prune(database.query)
    expect(await models.find('AuthorizationCode', old)).toBeUndefined()
    expect(await models.find('AuthorizationCode', fresh)).toBeDefined()
  })
})
