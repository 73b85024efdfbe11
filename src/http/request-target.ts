import type { Middleware } from 'koa'

/**
 * Brings the request target into the one form that everything behind it reads: a path and perhaps a query.
 *
 * A server must take the absolute form as well (RFC 9112 §3.2.2), of which only the path counts here: the authority is
 * ours by configuration. What is neither is answered by the path that nothing has.
 */
export const requestTarget: Middleware = async ({ req }, next) => {
  const target = req.url ?? ''
  if (!target.startsWith('/') || target.startsWith('//')) {
    const url = /^https?:\/\//i.test(target) && URL.canParse(target) ? new URL(target) : undefined
    req.url = url === undefined ? NOWHERE : `${url.pathname}${url.search}`
  }
  await next()
}

/** No route is as long as nothing. */
const NOWHERE = '/-'
