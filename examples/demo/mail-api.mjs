// A mail API: it delivers a mail over SMTP only when the call in front of it is the very action that the token names.
import { once } from 'node:events'
import { createServer } from 'node:http'
import Koa from 'koa'
import { createTransport } from 'nodemailer'
import { authorizedBy, createMemoryReplayStore, createResourceServer, protect } from 'writ/resource'
import { createOnlineCheck } from './online-check.mjs'

const MAX_BYTES = 64 * 1024

/** Starts a mail API at `http://localhost:<free port>`; its resource identifier is that and `/mail`. */
export async function startMailApi({ issuer, id, smtpPort, key, cleanup }) {
  // The port first: it is part of the identifier, which everything else needs.
  const http = createServer().listen(0, 'localhost')
  await once(http, 'listening')
  cleanup.add(`the API "${id}"`, () => close(http))
  const { port } = /** @type {import('node:net').AddressInfo} */ (http.address())
  const origin = `http://localhost:${port}`
  const resource = `${origin}/mail`
  const log = { sent: 0, refused: 0 }

  const server = createResourceServer({ issuer, resource, origin, replay: createMemoryReplayStore() })
  const isStillGood = createOnlineCheck({ issuer, id, key })
  const smtp = createTransport({ host: '127.0.0.1', port: smtpPort, disableFileAccess: true, disableUrlAccess: true })

  const app = new Koa()
  app.on('error', (error) => error.expose || console.error(`the API "${id}": ${error.message}`))
  app.use(async (ctx, next) => {
    ctx.state.mail = await readJson(ctx.req)
    await next()
    log[ctx.status === 201 ? 'sent' : 'refused'] += 1
  })
  // Is this call the action? Built from the request, and from nothing that the token says.
  /** @param {import('koa').Context} ctx */
  const action = (ctx) => ({ type: 'email_send', locations: [resource], ...ctx.state.mail })
  app.use(protect(server, { action }))
  // A mail cannot be called back: ask the server whether everybody is still in office.
  app.use(async (ctx, next) => {
    if (await isStillGood(ctx.get('authorization').slice('DPoP '.length))) return next()
    const why = 'the token is not active any more'
    ctx.status = 401
    ctx.set('www-authenticate', `DPoP error="invalid_token", error_description="${why}"`)
    ctx.body = { error: 'invalid_token', error_description: why }
  })
  app.use(async (ctx) => {
    const { principal, agent } = authorizedBy(ctx)
    const { to, subject, body } = ctx.state.mail
    await smtp.sendMail({ from: `${agent}@company.com`, replyTo: `${principal}@company.com`, to, subject, text: body })
    ctx.status = 201
    ctx.body = { sent: true }
  })
  http.on('request', app.callback())
  return { id, resource, messages: `${resource}/messages`, log }
}

async function readJson(request) {
  const chunks = []
  let size = 0
  for await (const chunk of request) {
    size += chunk.length
    if (size > MAX_BYTES) throw clientError(413, 'the mail is too large')
    chunks.push(chunk)
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8'))
  } catch {
    throw clientError(400, 'the mail is not JSON')
  }
}

const clientError = (status, message) => Object.assign(new Error(message), { status, expose: true })

function close(http) {
  const closed = new Promise((resolve) => http.close(resolve))
  http.closeAllConnections()
  return closed
}
