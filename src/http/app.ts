import type { RequestListener } from 'node:http'
import Router from '@koa/router'
import Koa, { type Middleware } from 'koa'
import { refuse } from '../core/refusal.ts'
import { directDoor } from './direct-door.ts'
import type { Door } from './door.ts'
import { type FaultParts, faults, faultsOfKoa, guardedDoor, isAdmin } from './faults.ts'
import type { FlowDoors } from './oauth/flow-doors.ts'
import { answerOAuthError } from './oauth/oauth-error.ts'
import { observe, observedDoor, type RequestObserver, type RequestTracer, trace, tracedDoor } from './observe.ts'
import { assetsRouter } from './pages/assets.ts'
import { answerNowherePage, wantsPage } from './pages/fault-page.ts'
import { answerProblem } from './problem.ts'
import { requestId } from './request-id.ts'
import { requestTarget } from './request-target.ts'
import { securityHeaders } from './security-headers.ts'

/** The doors, each built by its own file. */
export interface AppParts extends FaultParts {
  readonly token: (door: Door) => Promise<void>
  readonly flows: Pick<FlowDoors, 'par' | 'deviceAuthorization' | 'authorize'>
  readonly introspection: (door: Door) => Promise<void>
  readonly revocation: Middleware
  readonly receipts: Middleware
  readonly revocationFeed: Middleware
  readonly enrolment: Middleware
  readonly attestation: Middleware
  readonly backchannel: Middleware
  readonly ownDelegations: Middleware
  readonly metadata: Middleware
  readonly jwks: Middleware
  readonly actionTypes: Router
  readonly admin: Router
  /** What principals see in a browser. */
  readonly pages: readonly Router[]
  /** Whether requests can be served: database reachable, signing key present. */
  readonly isReady: () => Promise<boolean>
  /** Told of every request; absent where nobody measures. */
  readonly observer: RequestObserver | undefined
  /** Runs every request; absent where nobody traces. */
  readonly tracer: RequestTracer | undefined
}

/**
 * What the server answers, from the outermost layer inwards: id, faults, doors. No decisions.
 *
 * DECISION: `POST /token` and `POST /introspect` are served before Koa, for what every call of every agent pays for a framework is
 * a tenth of it. Whatever else is sent to these paths, by another method or in another spelling, goes the way of all others.
 */
export function createApp(parts: AppParts): RequestListener {
  const app = new Koa()
  if (parts.observer !== undefined) app.use(observe(parts.observer))
  if (parts.tracer !== undefined) app.use(trace(parts.tracer))
  app.use(requestTarget)
  app.use(requestId)
  app.use(faults(parts))
  app.use(securityHeaders)

  // One spelling for every path: what is not exactly it is nowhere.
  const router = new Router({ strict: true, sensitive: true })
  router.post('/token', (context) => parts.token(context))
  router.post('/par', parts.flows.par)
  router.post('/device_authorization', parts.flows.deviceAuthorization)
  router.get('/authorize', parts.flows.authorize)
  router.get('/authorize/:uid', parts.flows.authorize)
  router.post('/introspect', (context) => parts.introspection(context))
  router.post('/revoke', parts.revocation)
  router.post('/receipts', parts.receipts)
  router.post('/enrol', parts.enrolment)
  router.post('/attestation', parts.attestation)
  router.post('/backchannel', parts.backchannel)
  router.get('/delegations', parts.ownDelegations)
  router.get('/revocations', parts.revocationFeed)
  router.get('/.well-known/oauth-authorization-server', openToAllOrigins, parts.metadata)
  router.get('/.well-known/openid-configuration', openToAllOrigins, parts.metadata)
  router.get('/jwks', openToAllOrigins, parts.jwks)
  router.get('/healthz', (context) => {
    context.body = { status: 'up' }
  })
  router.get('/readyz', async (context) => {
    const isReady = await parts.isReady()
    context.status = isReady ? 200 : 503
    context.body = { status: isReady ? 'ready' : 'not ready' }
  })
  app.use(router.routes())
  app.use(parts.actionTypes.routes())
  app.use(assetsRouter().routes())
  app.use(parts.admin.routes())
  for (const pages of parts.pages) app.use(pages.routes())
  app.use(nowhere(router))
  app.on('error', faultsOfKoa(parts))
  const behindKoa = app.callback()
  const direct = new Map<string | undefined, RequestListener>([
    ['/token', directDoor(layered(parts, '/token', parts.token))],
    ['/introspect', directDoor(layered(parts, '/introspect', parts.introspection))],
  ])
  return (request, response) => {
    const serve = request.method === 'POST' ? (direct.get(request.url) ?? behindKoa) : behindKoa
    serve(request, response)
  }
}

/** The layers around a door before Koa: those of everything else, from the outermost inwards. */
function layered(parts: AppParts, path: string, door: (door: Door) => Promise<void>): (door: Door) => Promise<void> {
  const guarded = guardedDoor(door, parts)
  const followed = parts.tracer === undefined ? guarded : tracedDoor(parts.tracer, path, guarded)
  return parts.observer === undefined ? followed : observedDoor(parts.observer, path, followed)
}

/** Public, the same for everyone, and read by scripts of any origin. */
const openToAllOrigins: Middleware = async (context, next) => {
  context.set('Access-Control-Allow-Origin', '*')
  await next()
}

/** A path that is not there, or not by this method. */
function nowhere(router: Router): Middleware {
  return (context) => {
    const allowed = new Set(router.stack.filter((layer) => layer.match(context.path)).flatMap(({ methods }) => methods))
    if (isAdmin(context)) return answerProblem(context, 404, 'there is nothing here')
    if (allowed.size === 0 && wantsPage(context)) return answerNowherePage(context)
    answerOAuthError(
      context,
      refuse('request_malformed', allowed.size > 0 ? 'method not allowed' : 'there is nothing here'),
    )
    context.status = allowed.size > 0 ? 405 : 404
    if (allowed.size > 0) context.set('Allow', [...allowed].join(', '))
  }
}
