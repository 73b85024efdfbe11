// A resource server: it sends a mail only when the call in front of it is the very action that the token names.
import Koa from 'koa'
import { authorizedBy, createMemoryReplayStore, createResourceServer, protect } from 'writ/resource'

/** Starts the mail API. The "mailbox" is what it would have sent. */
export async function startMailApi(issuer, resource, host = 'localhost') {
  const mailbox = []
  const { origin, port } = new URL(resource)
  const server = createResourceServer({ issuer, resource, origin, replay: createMemoryReplayStore() })
  const app = new Koa()
  app.use(async (ctx, next) => {
    ctx.state.mail = await readJson(ctx.req)
    await next()
  })
  // The action is built from the request, and from nothing that the token says.
  /** @param {import('koa').Context} ctx */
  const action = (ctx) => ({ type: 'email_send', locations: [resource], ...ctx.state.mail })
  app.use(protect(server, { action }))
  app.use((ctx) => {
    mailbox.push({ ...ctx.state.mail, by: authorizedBy(ctx).agent })
    ctx.status = 201
    ctx.body = { sent: true }
  })
  const listening = await new Promise((resolve) => {
    const http = app.listen(Number(port), host, () => resolve(http))
  })
  return { mailbox, close: () => listening.close() }
}

async function readJson(request) {
  const chunks = []
  for await (const chunk of request) chunks.push(chunk)
  return JSON.parse(Buffer.concat(chunks).toString('utf8') || '{}')
}
