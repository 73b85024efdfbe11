import requestContext from 'oidc-provider/lib/helpers/als.js'

let running = 0

/**
 * Runs what needs oidc-provider's request context, and puts the context away when nobody needs it any more.
 *
 * On Node 20 an `AsyncLocalStorage` that was used once hooks itself into every promise of the process for good: after the
 * first administrator's token every exchange would cost a few percent more (docs/performance.md).
 */
export async function withRequestContext<T>(work: () => Promise<T>): Promise<T> {
  running++
  try {
    return await work()
  } finally {
    running--
    if (running === 0) requestContext.disable()
  }
}
