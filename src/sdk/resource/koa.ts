import { isRefusal } from '../../core/refusal.ts'
import type { ActualAction } from './actual-action.ts'
import { resultsOf } from './admission.ts'
import type { ResourceRefusal } from './challenge.ts'
import { executeInTransaction, executeOnce } from './execute-once.ts'
import { type CallAnswer, KEPT_HEADERS, type KeptAnswer } from './kept-answer.ts'
import type { Authorized, ResourceServer } from './resource-server.ts'
import type { TransactionalResultStore } from './result-store.ts'

/** What is used of a Koa context; every Koa 2 and 3 context has it. */
export interface KoaContext {
  readonly method: string
  /** The request target as it was received, whatever was mounted where. */
  readonly originalUrl: string
  readonly path: string
  readonly req: { readonly rawHeaders: string[] }
  /** Of a header that was not set, versions of Koa say different things. */
  readonly response: { get(name: string): unknown }
  status: number
  body: unknown
  set(name: string, value: string): void
}

type KoaNext = () => Promise<unknown>

/** How a route is protected. */
export interface ProtectOptions<Context extends KoaContext> {
  /** Builds the action that the route is about to execute, from the request and from nothing the token says. */
  readonly action: (ctx: Context) => ActualAction | Promise<ActualAction>
  /**
   * The server's result store, for a route whose whole effect goes through `transactionOf`: it is committed together with the
   * kept answer, or not at all.
   */
  readonly transaction?: TransactionalResultStore<unknown>
}

/**
 * Makes the middleware that lets a request through only when it is the action its token authorizes, once.
 *
 * Behind it `authorizedBy(ctx)` says who acts for whom. A refusal is answered here and the route never runs. When the server
 * keeps results, the route's answer is kept, and is the answer to a retry, with `Idempotent-Replayed: true`.
 */
export function protect<Context extends KoaContext>(
  server: ResourceServer,
  { action, transaction }: ProtectOptions<Context>,
): (ctx: Context, next: KoaNext) => Promise<void> {
  const results = resultsOf(server)
  if (transaction !== undefined && transaction !== results) {
    throw new TypeError('transaction must be the results of this resource server')
  }
  return async (ctx, next) => {
    const request = { method: ctx.method, url: ctx.originalUrl, rawHeaders: ctx.req.rawHeaders }
    const actual = () => action(ctx)
    if (results === undefined) {
      const outcome = await server.authorize(request, actual)
      if (isRefusal(outcome)) return answerRefusal(ctx, server, outcome)
      granted.set(ctx, outcome)
      await next()
      return
    }
    const call = { from: request, actual }
    const run = async (authorized: Authorized): Promise<CallAnswer> => {
      granted.set(ctx, authorized)
      await next()
      return answerOf(ctx)
    }
    const outcome =
      transaction === undefined
        ? await executeOnce(server, call, run)
        : await executeInTransaction(server, transaction, call, async (authorized, open) => {
            transactions.set(ctx, { results: transaction, open })
            return run(authorized).finally(() => transactions.delete(ctx))
          })
    if (isRefusal(outcome)) return answerRefusal(ctx, server, outcome)
    if (outcome.isKept) answerKept(ctx, outcome.answer as KeptAnswer)
  }
}

/**
 * The transaction in which a route protected with `transaction` does all that it does.
 *
 * @throws on any other request, and after the route has ended: what would be done then is committed with nothing.
 */
export function transactionOf<Transaction>(results: TransactionalResultStore<Transaction>, ctx: object): Transaction {
  const found = transactions.get(ctx)
  if (found?.results !== results) throw new TypeError('this route runs in no transaction of these results')
  return found.open as Transaction
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
const transactions = new WeakMap<object, { readonly results: unknown; readonly open: unknown }>()

function answerRefusal(ctx: KoaContext, server: ResourceServer, refusal: ResourceRefusal): void {
  const { status, headers, body } = server.challenge(refusal)
  for (const [name, value] of Object.entries(headers)) ctx.set(name, value)
  ctx.status = status
  ctx.body = body
}

/** What a route answered, before Koa sends it. */
function answerOf(ctx: KoaContext): CallAnswer {
  const headers: Record<string, string> = {}
  for (const name of KEPT_HEADERS) {
    const value = ctx.response.get(name)
    if (typeof value === 'string' && value !== '') headers[name] = value
  }
  return { status: ctx.status, headers, body: ctx.body }
}

function answerKept(ctx: KoaContext, { status, headers, body }: KeptAnswer): void {
  ctx.body = body.length === 0 ? null : Buffer.from(body)
  ctx.status = status
  for (const [name, value] of Object.entries(headers)) ctx.set(name, value)
  ctx.set('idempotent-replayed', 'true')
}
