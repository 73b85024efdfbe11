import type { Context, Middleware } from 'koa'
import { headerValues } from './headers.ts'

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

/** The same, when somebody traces. */
export function trace({ request }: RequestTracer): Middleware {
  return (context, next) => {
    const [traceparent, ...more] = headerValues(context.req, 'traceparent')
    return request(context.method, more.length > 0 ? undefined : traceparent, async () => {
      await next()
      const { refusal, requestId } = context.state
      return { route: routeOf(context), status: context.status, refusal, requestId }
    })
  }
}

/** The route's own pattern, such as `/admin/agents/:id`: what a caller sends names no label, and makes no new one. */
const routeOf = (context: Context): string => {
  const pattern: unknown = Reflect.get(context, '_matchedRoute')
  return typeof pattern === 'string' ? pattern : 'none'
}
