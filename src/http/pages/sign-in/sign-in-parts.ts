import type { Context } from 'koa'
import type { Browser, StartedLogin } from '../../../commands/people/begin-login.ts'
import { isRefusal, type Refusal } from '../../../core/refusal.ts'
import type { FailureThrottle } from '../../oauth/throttle.ts'
import { readCookie, setHostCookie } from '../cookie.ts'
import { pathAfterSignIn, type Sessions } from '../session.ts'
import { answerRefused } from './refused-page.ts'

/** What every way to sign in needs. */
export interface SignInParts {
  readonly issuer: string
  readonly sessions: Sessions
  /** Limits failures by address. */
  readonly throttle: FailureThrottle
}

/** The browser that signs in. */
export function browserOf(context: Context, sessions: Sessions): Browser {
  return {
    heldSecret: sessions.heldSecret(context),
    userAgent: context.req.headers['user-agent'],
    requestId: String(context.state.requestId),
  }
}

/** Ends a sign-in: the browser holds the new secret and goes on to where it wanted, or is told why not. */
export function finishSignIn(
  context: Context,
  { sessions, throttle }: SignInParts,
  outcome: StartedLogin | Refusal,
  then: string | undefined,
): void {
  if (isRefusal(outcome)) {
    answerRefused(context, throttle.failed(context, outcome))
    return
  }
  sessions.begin(context, outcome.secret)
  forgetThen(context)
  goTo(context, pathAfterSignIn(then))
}

/** Sends a browser on, by GET, whatever it asked by. */
export function goTo(context: Context, path: string): void {
  context.redirect(path)
  context.status = 303
  context.set('Cache-Control', 'no-store')
  context.type = 'text/plain'
  context.body = ''
}

const THEN_COOKIE = '__Host-writ_then'
const THEN_SECONDS = 3_600

/** Keeps where somebody wanted to go, for a way to sign in that does not come back to the page that was told. */
export function rememberThen(context: Context, path: string): void {
  setHostCookie(context, THEN_COOKIE, encodeURIComponent(path), THEN_SECONDS)
}

/** Where somebody wanted to go. What is read is judged like everything that a browser sends. */
export function rememberedThen(context: Context): string | undefined {
  const value = readCookie(context, THEN_COOKIE)
  if (value === undefined || !/^[\x21-\x7e]*$/.test(value)) return undefined
  try {
    return decodeURIComponent(value)
  } catch {
    return undefined
  }
}

function forgetThen(context: Context): void {
  if (readCookie(context, THEN_COOKIE) !== undefined) setHostCookie(context, THEN_COOKIE, '', 0)
}
