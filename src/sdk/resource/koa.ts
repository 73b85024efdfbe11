import { isRefusal } from '../../core/refusal.ts'
import type { ActualAction } from './actual-action.ts'
import type { Authorized, ResourceServer } from './resource-server.ts'

/** What is used of a Koa context; every Koa 2 and 3 context has it. */
export interface KoaContext {
  readonly method: string
  /** The request target as it was received, whatever was mounted where. */
  readonly originalUrl: string
  readonly path: string
  readonly req: { readonly rawHeaders: string[] }
  status: number
  body: unknown
  set(name: string, value: string): void
}

type KoaNext = () => Promise<unknown>

/** How a route is protected. */
export interface ProtectOptions<Context extends KoaContext> {
  /** Builds the action that the route is about to execute, from the request and from nothing the token says. */
  readonly action: (ctx: Context) => ActualAction | Promise<ActualAction>
}

/**
 * Makes the middleware that lets a request through only when it is the action its token authorizes, once.
 *
 * Behind it `authorizedBy(ctx)` says who acts for whom. A refusal is answered here and the route never runs.
 */
export function protect<Context extends KoaContext>(
  server: ResourceServer,
  { action }: ProtectOptions<Context>,
): (ctx: Context, next: KoaNext) => Promise<void> {
  return async (ctx, next) => {
    const request = { method: ctx.method, url: ctx.originalUrl, rawHeaders: ctx.req.rawHeaders }
    const outcome = await server.authorize(request, () => action(ctx))
    if (isRefusal(outcome)) {
      const { status, headers, body } = server.challenge(outcome)
      for (const [name, value] of Object.entries(headers)) ctx.set(name, value)
      ctx.status = status
      ctx.body = body
      return
    }
    granted.set(ctx, outcome)
    await next()
  }
}

/**
 * Who acts, for whom, doing what, on a request that `protect` let through.
 *
 * @throws on any other request: a route that forgot its protection must not look as if it had one.
 */
export function authorizedBy(ctx: object): Authorized {
  const authorized = granted.get(ctx)
  if (authorized === undefined) throw new TypeError('this route is not protected')
  return authorized
}

/** Makes the middleware that serves the protected resource metadata (RFC 9728 §3); it lets everything else through. */
export function serveMetadata(server: ResourceServer): (ctx: KoaContext, next: KoaNext) => Promise<void> {
  return async (ctx, next) => {
    const isRead = ctx.method === 'GET' || ctx.method === 'HEAD'
    if (!isRead || server.metadataPath === undefined || ctx.path !== server.metadataPath) {
      await next()
      return
    }
    ctx.set('access-control-allow-origin', '*')
    ctx.set('cache-control', 'public, max-age=300')
    ctx.body = server.protectedResourceMetadata
  }
}

const granted = new WeakMap<object, Authorized>()
