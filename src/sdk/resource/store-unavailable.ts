/**
 * A store of the resource server cannot be reached, is too slow, or is not fit for its task: a fault and no refusal. Nothing
 * was let through. `status` is what Koa and others answer.
 */
export class StoreUnavailableError extends Error {
  override readonly name = 'StoreUnavailableError'
  readonly status = 503
}

/**
 * Waits for a store, and not for ever: a client that lost its connection may keep a command until there is one again.
 *
 * @throws StoreUnavailableError with the cause. What was asked for may happen all the same, later.
 */
export async function answerOf<T>(store: string, timeoutMilliseconds: number, work: () => Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${timeoutMilliseconds} ms`)), timeoutMilliseconds)
  })
  try {
    return await Promise.race([work(), late])
  } catch (cause) {
    throw new StoreUnavailableError(`${store} did not answer`, { cause })
  } finally {
    clearTimeout(timer)
  }
}

/** @throws RangeError for a time that is none. Unit: milliseconds. */
export function checkTimeout(timeoutMilliseconds: number): void {
  if (!(timeoutMilliseconds > 0 && timeoutMilliseconds <= 600_000)) {
    throw new RangeError('timeoutMilliseconds must be more than 0, at most 600,000')
  }
}
