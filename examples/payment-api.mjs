// A resource server that pays exactly once: payment, single use of the token and kept answer are one PostgreSQL transaction.
import { createServer } from 'node:http'
import Koa from 'koa'
import {
  authorizedBy,
  createPostgresReplayStore,
  createPostgresResultStore,
  createResourceServer,
  protect,
  transactionOf,
} from 'writ/resource'

/**
 * Starts the payment API on a database of its own.
 * @param {import('pg').Pool} pool
 */
export async function startPaymentApi(issuer, resource, pool) {
  const [replay, results] = [createPostgresReplayStore(pool), createPostgresResultStore(pool)]
  await replay.migrate()
  await results.migrate()
  const { origin, hostname, port } = new URL(resource)
  const server = createResourceServer({ issuer, resource, origin, replay, results })

  const app = new Koa()
  app.use(async (ctx, next) => {
    ctx.state.payment = await readJson(ctx.req)
    await next()
  })
  // The action is built from the request, and from nothing that the token says.
  /** @param {import('koa').Context} ctx */
  const action = (ctx) => ({ type: 'payment_initiation', locations: [resource], ...ctx.state.payment })
  app.use(protect(server, { action, transaction: results }))
  app.use(async (ctx) => {
    // All that is done is done by this client: it is committed together with the answer, or not at all.
    const client = transactionOf(results, ctx)
    const { instructedAmount, creditorAccount } = ctx.state.payment
    const { rows } = await client.query(
      'INSERT INTO payment (iban, currency, amount, by) VALUES ($1, $2, $3, $4) RETURNING id',
      [creditorAccount.iban, instructedAmount.currency, instructedAmount.amount, authorizedBy(ctx).agent],
    )
    ctx.status = 201
    ctx.body = { payment: rows[0] }
  })
  const http = createServer(app.callback())
  await new Promise((resolve) => http.listen(Number(port), hostname, () => resolve(undefined)))
  return { close: () => http.close() }
}

async function readJson(request) {
  const chunks = []
  for await (const chunk of request) chunks.push(chunk)
  return JSON.parse(Buffer.concat(chunks).toString('utf8') || '{}')
}
