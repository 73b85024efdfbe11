import { createHash } from 'node:crypto'
import Router from '@koa/router'
import type { Context, Middleware } from 'koa'
import type { ActionType } from '../core/action/action-type.ts'

/** Unit: seconds. */
const MAX_AGE_SECONDS = 60

/**
 * `GET /action-types`, `GET /action-types/{type}`: what agents and resource servers need to know of the active types.
 * Public, the same for everyone, cacheable, and read by scripts of any origin.
 *
 * @param active the types that are active now, in order of name.
 */
export function actionTypesRouter(active: () => readonly ActionType[]): Router {
  const router = new Router({ strict: true, sensitive: true })
  const serve =
    (
      viewOf: (context: Context & { readonly params: Readonly<Record<string, string>> }) => object | undefined,
    ): Middleware =>
    (context) => {
      context.set('Access-Control-Allow-Origin', '*')
      const view = viewOf(context as Parameters<typeof viewOf>[0])
      if (view === undefined) {
        context.status = 404
        context.body = { error: 'not_found', error_description: 'there is no active action type of this name' }
        return
      }
      const body = JSON.stringify(view)
      context.set('Cache-Control', `public, max-age=${MAX_AGE_SECONDS}`)
      context.set('ETag', `"${createHash('sha256').update(body).digest('base64url')}"`)
      context.type = 'application/json'
      context.status = 200
      context.body = body
      if (context.fresh) context.status = 304
    }
  router.get(
    '/action-types',
    serve(() => ({ items: active().map(publicView) })),
  )
  router.get(
    '/action-types/:type',
    serve(({ params }) => {
      const found = active().find(({ type }) => type === params.type)
      return found && publicView(found)
    }),
  )
  return router
}

const publicView = ({ type, title, schema, digestible, risk, isSingleUse, version }: ActionType) => ({
  ...{ type, title, schema, digestible, risk, single_use: isSingleUse, version },
})
