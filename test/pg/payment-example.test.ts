import type pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { freePort } from '../process/server-process.ts'
import { send } from '../support/clients.ts'
import { createPostgresCopy } from '../support/database.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { createWorld } from '../support/world.ts'
import { proof } from '../wire/signing.ts'
import { openPool } from './pool.ts'

let issuer: TestServer
let copy: Awaited<ReturnType<typeof createPostgresCopy>>
let pool: pg.Pool
beforeAll(async () => {
  issuer = await startTestServer()
  copy = await createPostgresCopy()
  pool = openPool(copy.url)
  await pool.query(`CREATE TABLE payment (
    id int GENERATED ALWAYS AS IDENTITY, iban text, currency text, amount numeric CHECK (amount < 100), by text)`)
})
afterAll(async () => {
  await pool?.end()
  await copy?.drop()
  await issuer?.close()
})

test('examples/payment-api.mjs pays once, whatever becomes of the answer', async () => {
  // By its address: a program in JavaScript, which tsconfig.examples.json checks.
  const { startPaymentApi } = await import(new URL('../../examples/payment-api.mjs', import.meta.url).href)
  const resource = `http://127.0.0.1:${await freePort()}`
  const { type, ...payment } = {
    type: 'payment_initiation',
    instructedAmount: { currency: 'EUR', amount: '12.50' },
    creditorName: 'Merchant',
    creditorAccount: { iban: 'DE02100100109307118603' },
  }
  const world = await createWorld(issuer, {
    resource: { identifier: resource },
    bounds: [{ type, instructedAmount: { $any: true }, creditorName: 'Merchant', creditorAccount: { $any: true } }],
    action: { type, ...payment },
    delegation: { resource },
  })
  const api = await startPaymentApi(issuer.issuer, resource, pool)
  const pay = async (accessToken: string, body: object = payment) => {
    const dpop = proof(world.agent.key, { method: 'POST', htu: `${resource}/payments`, now: new Date(), accessToken })
    return send(`${resource}/payments`, {
      headers: [
        ['Authorization', `DPoP ${accessToken}`],
        ['DPoP', dpop],
      ],
      body: JSON.stringify(body),
    })
  }
  const paid = async () => (await pool.query('SELECT count(*)::int AS n FROM payment')).rows[0]?.n
  try {
    const { body } = await world.exchange({}, { resource })
    const [first, retry] = [await pay(body.access_token), await pay(body.access_token)]
    expect([first.status, first.body]).toEqual([201, { payment: { id: 1 } }])
    expect([retry.status, retry.body, retry.headers['idempotent-replayed']]).toEqual([201, first.body, 'true'])
    expect((await pay(body.access_token, { ...payment, creditorName: 'Thief' })).status).toBe(403)
    expect(await paid()).toBe(1)

    // The database refuses this one; nothing is left of the try, and the retry hears it again.
    const dear = { ...payment, instructedAmount: { currency: 'EUR', amount: '100' } }
    const { body: token } = await world.exchange({}, { resource, action: { type, ...dear } })
    expect([(await pay(token.access_token, dear)).status, (await pay(token.access_token, dear)).status]).toEqual([
      500, 500,
    ])
    expect(await paid()).toBe(1)
  } finally {
    api.close()
  }
})
