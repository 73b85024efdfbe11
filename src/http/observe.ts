import type { IncomingMessage } from 'node:http'
import type { Context, Middleware } from 'koa'
import { headerValues } from '../wire/header-values.ts'
import type { Door } from './door.ts'

/** Told of every request that reached a door. */
export interface RequestObserver {
  readonly saw: (request: {
    readonly route: string
    readonly status: number
    readonly refusal: string | undefined
    readonly isExchange: boolean
    readonly seconds: number
  }) => void
}

/** Runs every request that reaches a door. */
export interface RequestTracer {
  readonly request: (
    method: string,
    traceparent: string | undefined,
    work: () => Promise<{
      readonly route: string
      readonly status: number
      readonly refusal: string | undefined
      readonly requestId: string
    }>,
  ) => Promise<void>
}

/** The outermost layer, there only when somebody measures. */
export function observe({ saw }: RequestObserver): Middleware {
  return async (context, next) => {
    const start = performance.now()
    try {
      await next()
    } finally {
      const { refusal, isExchange = false } = context.state
      const seconds = (performance.now() - start) / 1_000
      saw({ route: routeOf(context), status: context.status, refusal, isExchange, seconds })
    }
  }
}

/** The same around a door that Koa does not stand before. */
export function observedDoor(
  { saw }: RequestObserver,
  route: string,
  serve: (door: Door) => Promise<void>,
): (door: Door) => Promise<void> {
  return async (door) => {
    const start = performance.now()
    try {
      await serve(door)
    } finally {
      const { refusal, isExchange = false } = door.state
      saw({ route, status: door.status, refusal, isExchange, seconds: (performance.now() - start) / 1_000 })
    }
  }
}

export function tracedDoor(
  { request }: RequestTracer,
  route: string,
  serve: (door: Door) => Promise<void>,
): (door: Door) => Promise<void> {
  return (door) =>
    request(door.req.method ?? '', traceparentOf(door.req), async () => {
      await serve(door)
      const { refusal, requestId } = door.state
      return { route, status: door.status, refusal, requestId }
    })
}

/** The same, when somebody traces. */
export function trace({ request }: RequestTracer): Middleware {
  return (context, next) => {
    return request(context.method, traceparentOf(context.req), async () => {
      await next()
      const { refusal, requestId } = context.state
      return { route: routeOf(context), status: context.status, refusal, requestId }
    })
  }
}

function traceparentOf(request: IncomingMessage): string | undefined {
  const [traceparent, ...more] = headerValues(request, 'traceparent')
  return more.length > 0 ? undefined : traceparent
}

/** The route's own pattern, such as `/admin/agents/:id`: what a caller sends names no label, and makes no new one. */
const routeOf = (context: Context): string => {
  const pattern: unknown = Reflect.get(context, '_matchedRoute')
  return typeof pattern === 'string' ? pattern : 'none'
}
