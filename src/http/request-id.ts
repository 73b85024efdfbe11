import type { IncomingMessage } from 'node:http'
import type { Middleware } from 'koa'
import { headerValues } from '../wire/header-values.ts'
import { pooledRandomText } from '../wire/random.ts'

const ACCEPTABLE = /^[A-Za-z0-9._-]{1,64}$/

/** Gives every request an id that its answer, its log lines and its records carry; an inbound one is kept if it is harmless. */
export const requestId: Middleware = async (context, next) => {
  const id = acceptedRequestId(context.req)
  context.state.requestId = id
  context.set('X-Request-Id', id)
  await next()
}

export function acceptedRequestId(request: IncomingMessage): string {
  if (request.headers['x-request-id'] === undefined) return newRequestId()
  const [inbound, ...more] = headerValues(request, 'x-request-id')
  const isKept = inbound !== undefined && more.length === 0 && ACCEPTABLE.test(inbound)
  return isKept ? inbound : newRequestId()
}

export const newRequestId = (): string => pooledRandomText(12, 'base64url')
