import { pino } from 'pino'

export type Log = Pick<pino.Logger, 'debug' | 'info' | 'warn' | 'error' | 'fatal'>

/**
 * The operators' log: JSON lines on standard error, so that standard output holds only what a caller waits for.
 *
 * Never handed a token, a proof, a key or a secret: what is logged is named member by member at the call, and of an error
 * only its name, message, code and stack.
 */
export function openLog(level: string): Log {
  return pino(
    { level, base: null, timestamp: pino.stdTimeFunctions.isoTime, serializers: { error: describeError } },
    pino.destination({ fd: 2, sync: true }),
  )
}

function describeError(error: unknown): object {
  if (!(error instanceof Error)) return { message: String(error) }
  const { name, message, stack } = error
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined
  return { name, message, code, stack, ...(error.cause !== undefined && { cause: describeError(error.cause) }) }
}
