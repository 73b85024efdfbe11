import Router from '@koa/router'
import type { Context } from 'koa'
import type { AdminPorts } from '../../commands/admin/change-call.ts'
import type { SignSubjectToken } from '../../commands/admin/registered.ts'
import type { AdminCall, Administrator, AdminNeed } from '../../commands/authorize-administrator.ts'
import { isRefusal, type Refusal, refuse } from '../../core/refusal.ts'
import { headerValues } from '../../wire/header-values.ts'
import { cursors } from '../cursor.ts'
import { readQuery } from '../list-query.ts'
import type { FailureThrottle } from '../oauth/throttle.ts'
import { presentedToken } from '../presented-token.ts'
import { answerProblem, PROBLEM_TYPE } from '../problem.ts'
import { readJson } from '../read-json.ts'
import { answerRefusal } from './admin-problem.ts'
import { readIdempotencyKey } from './once-only.ts'
import type { Answer, Exchange, Route } from './route.ts'
import { adminRoutes } from './routes.ts'

export interface AdminRouterParts {
  readonly issuer: string
  readonly ports: AdminPorts
  /** Decides whether the call may be made; asked for every call, before its body is read. */
  readonly authorize: (call: AdminCall, need: AdminNeed) => Promise<Administrator | Refusal>
  readonly signSubjectToken: SignSubjectToken
  /** The server secret `cursor`. */
  readonly cursorSecret: Uint8Array
  readonly throttle: FailureThrottle
  /** The nonce to offer with every answer; undefined where none is required (RFC 9449 §8.2). */
  readonly nextNonce: (() => string) | undefined
}

/** The admin API: `/admin/…`. Whatever is thrown is a fault and left to the layer around it. */
export function adminRouter(parts: AdminRouterParts): Router {
  const router = new Router({ prefix: '/admin', strict: true, sensitive: true })
  const routes = adminRoutes(parts.issuer)
  const shared = { ports: parts.ports, signSubjectToken: parts.signSubjectToken, cursors: cursors(parts.cursorSecret) }
  for (const route of routes) {
    router.register(route.path, [route.method], async (context: Context & { readonly params: Exchange['params'] }) => {
      const answer = await serve(parts, shared, route, context)
      if (isRefusal(answer)) answerRefusal(context, answer)
      else write(context, answer)
    })
  }
  for (const path of new Set(routes.map((route) => route.path))) {
    const methods = routes.filter((route) => route.path === path).map(({ method }) => method)
    router.all(path, (context) => {
      context.set('Allow', methods.join(', '))
      answerProblem(context, 405, `this path knows ${methods.join(', ')}`)
    })
  }
  return router
}

async function serve(
  parts: AdminRouterParts,
  shared: Pick<Exchange, 'ports' | 'signSubjectToken' | 'cursors'>,
  route: Route,
  context: Context & { readonly params: Exchange['params'] },
): Promise<Answer | Refusal> {
  const { req, path } = context
  if (parts.nextNonce !== undefined) context.set('DPoP-Nonce', parts.nextNonce())

  // Who is it, and may they? Asked before anything of the request is read.
  const administrator = await authorize(parts, route, context)
  if (isRefusal(administrator)) {
    return administrator.code === 'scope_not_allowed' ? administrator : parts.throttle.failed(context, administrator)
  }
  if (Object.values(context.params).some((value) => !/^[\x21-\x7e]{1,255}$/.test(value))) {
    return refuse('not_found', 'there is nothing of this name')
  }
  const query = readQuery(context.querystring)
  if (isRefusal(query)) return query
  const [unexpected] = route.filters === undefined ? Object.keys(query) : []
  if (unexpected !== undefined) return refuse('request_malformed', 'this path takes no query')
  const body = route.method === 'GET' ? EMPTY : await readJson(req, route.method === 'PATCH' ? 'patch' : 'json')
  if (isRefusal(body)) return body
  const idempotencyKey = route.method === 'POST' ? readIdempotencyKey(req) : undefined
  if (isRefusal(idempotencyKey)) return idempotencyKey
  return route.serve({
    ...{ ...shared, administrator, requestId: String(context.state.requestId), method: route.method, path },
    ...{ params: context.params, query: context.querystring, body, idempotencyKey },
    ifMatch: headerValues(req, 'if-match'),
  })
}

const EMPTY = { object: {}, bytes: new Uint8Array() }

async function authorize(
  { issuer, authorize }: AdminRouterParts,
  { method, need = method === 'GET' ? 'read' : 'write' }: Pick<Route, 'method' | 'need'>,
  { req, path }: Context,
): Promise<Administrator | Refusal> {
  const call = presentedToken(req, `${issuer}${path}`)
  return isRefusal(call) ? call : authorize(call, need)
}

function write(context: Context, { status, body, etag, location, isRepeated }: Answer): void {
  context.status = status
  context.set('Cache-Control', 'no-store')
  context.type = status < 400 ? 'application/json' : PROBLEM_TYPE
  if (etag !== undefined) context.set('ETag', etag)
  if (location !== undefined) context.set('Location', location)
  if (isRepeated) context.set('Idempotent-Replayed', 'true')
  context.body = body
}
