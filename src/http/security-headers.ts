import type { Middleware } from 'koa'

/** On every answer, whoever gives it. */
export const SECURITY_HEADERS = [
  ['X-Content-Type-Options', 'nosniff'],
  ['Referrer-Policy', 'no-referrer'],
] as const

export const securityHeaders: Middleware = async (context, next) => {
  for (const [name, value] of SECURITY_HEADERS) context.set(name, value)
  await next()
}
