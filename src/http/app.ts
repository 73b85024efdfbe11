import Router from '@koa/router'
import Koa, { type Context, type Middleware } from 'koa'
import { refuse } from '../core/refusal.ts'
import { answerOAuthError, answerUnavailable } from './oauth/oauth-error.ts'
import { observe, type RequestObserver, type RequestTracer, trace } from './observe.ts'
import { answerProblem } from './problem.ts'
import { requestId } from './request-id.ts'
import { requestTarget } from './request-target.ts'

/** The doors, each built by its own file. */
export interface AppParts {
  readonly token: Middleware
  readonly introspection: Middleware
  readonly revocation: Middleware
  readonly receipts: Middleware
  readonly revocationFeed: Middleware
  readonly enrolment: Middleware
  readonly ownDelegations: Middleware
  readonly metadata: Middleware
  readonly jwks: Middleware
  readonly actionTypes: Router
  readonly admin: Router
  /** Whether requests can be served: database reachable, signing key present. */
  readonly isReady: () => Promise<boolean>
  /** Whether a thrown fault means that a store or the signer is away for now. */
  readonly isUnavailable: (error: unknown) => boolean
  /** Told of every request; absent where nobody measures. */
  readonly observer: RequestObserver | undefined
  /** Runs every request; absent where nobody traces. */
  readonly tracer: RequestTracer | undefined
  /** Writes a fault into the operators' log. */
  readonly logFault: (fault: { readonly error: unknown; readonly requestId: string; readonly path: string }) => void
}

/** What the server answers, from the outermost layer inwards: id, faults, doors. No decisions. */
export function createApp(parts: AppParts): Koa {
  const app = new Koa()
  if (parts.observer !== undefined) app.use(observe(parts.observer))
  if (parts.tracer !== undefined) app.use(trace(parts.tracer))
  app.use(requestTarget)
  app.use(requestId)
  app.use(faults(parts))
  app.use(securityHeaders)

  // One spelling for every path: what is not exactly it is nowhere.
  const router = new Router({ strict: true, sensitive: true })
  router.post('/token', parts.token)
  router.post('/introspect', parts.introspection)
  router.post('/revoke', parts.revocation)
  router.post('/receipts', parts.receipts)
  router.post('/enrol', parts.enrolment)
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
  app.use(parts.admin.routes())
  app.use(nowhere(router))
  app.on('error', (error: unknown) => parts.logFault({ error, requestId: '', path: '' }))
  return app
}

/** A fault is logged with its cause; the caller gets the request's id and nothing else. */
function faults({ isUnavailable, logFault }: AppParts): Middleware {
  return async (context, next) => {
    try {
      await next()
    } catch (error) {
      logFault({ error, requestId: context.state.requestId, path: context.path })
      if (context.res.headersSent) throw error
      if (isAdmin(context)) {
        const isAway = isUnavailable(error)
        if (isAway) context.set('Retry-After', '1')
        answerProblem(context, isAway ? 503 : 500, isAway ? 'a store is not available' : 'something broke')
      } else if (isUnavailable(error)) {
        answerUnavailable(context)
      } else {
        context.status = 500
        context.set('Cache-Control', 'no-store')
        context.body = { error: 'server_error', error_description: `request ${context.state.requestId}` }
      }
    }
  }
}

const securityHeaders: Middleware = async (context, next) => {
  context.set('X-Content-Type-Options', 'nosniff')
  context.set('Referrer-Policy', 'no-referrer')
  await next()
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
    answerOAuthError(
      context,
      refuse('request_malformed', allowed.size > 0 ? 'method not allowed' : 'there is nothing here'),
    )
    context.status = allowed.size > 0 ? 405 : 404
    if (allowed.size > 0) context.set('Allow', [...allowed].join(', '))
  }
}

const isAdmin = ({ path }: Context) => path === '/admin' || path.startsWith('/admin/')
