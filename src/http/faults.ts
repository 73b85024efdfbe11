import type { Context, Middleware } from 'koa'
import type { Door } from './door.ts'
import { answerUnavailable } from './oauth/oauth-error.ts'
import { answerFaultPage, isPagePath } from './pages/fault-page.ts'
import { answerProblem } from './problem.ts'

export interface FaultParts {
  /** Whether a thrown fault means that a store or the signer is away for now. */
  readonly isUnavailable: (error: unknown) => boolean
  /** Writes a fault into the operators' log. */
  readonly logFault: (fault: { readonly error: unknown; readonly requestId: string; readonly path: string }) => void
}

/** A fault is logged with its cause; the caller gets the request's id and nothing else. */
export function faults({ isUnavailable, logFault }: FaultParts): Middleware {
  return async (context, next) => {
    try {
      await next()
    } catch (error) {
      logFault({ error, requestId: context.state.requestId, path: loggedPath(context.path) })
      if (context.res.headersSent) {
        // Nobody can be told any more, and whoever waits for the rest must not wait for ever.
        if (!context.res.writableEnded) context.res.destroy()
        throw error
      }
      // Whoever was to answer instead did not.
      context.respond = true
      if (isAdmin(context)) {
        const isAway = isUnavailable(error)
        if (isAway) context.set('Retry-After', '1')
        answerProblem(context, isAway ? 503 : 500, isAway ? 'a store is not available' : 'something broke')
      } else if (isPagePath(context.path)) {
        answerFaultPage(context, isUnavailable(error))
      } else {
        answerFault(context, isUnavailable(error))
      }
    }
  }
}

/** Logs what Koa is left with. A caller who hangs up while he follows something is no fault, and would drown the ones that are. */
export const faultsOfKoa =
  ({ logFault }: Pick<FaultParts, 'logFault'>) =>
  (error: unknown): void => {
    if ((error as NodeJS.ErrnoException | null)?.code === 'ERR_STREAM_PREMATURE_CLOSE') return
    logFault({ error, requestId: '', path: '' })
  }

/** `faults` around a door that Koa does not stand before. */
export function guardedDoor(
  serve: (door: Door) => Promise<void>,
  { isUnavailable, logFault }: FaultParts,
): (door: Door) => Promise<void> {
  return (door) =>
    serve(door).catch((error: unknown) => {
      logFault({ error, requestId: door.state.requestId, path: door.req.url ?? '' })
      if (door.res.headersSent) throw error
      // Whoever was to answer instead did not.
      door.respond = true
      answerFault(door, isUnavailable(error))
    })
}

function answerFault(door: Door, isAway: boolean): void {
  if (isAway) {
    answerUnavailable(door)
    return
  }
  door.status = 500
  door.set('Cache-Control', 'no-store')
  door.body = { error: 'server_error', error_description: `request ${door.state.requestId}` }
}

/** A path as the operators' log may hold it: of one-time links everything but the secret. */
const loggedPath = (path: string): string => path.replace(/^(\/sign-in\/link\/).*/s, '$1…')

export const isAdmin = ({ path }: Context) => path === '/admin' || path.startsWith('/admin/')
