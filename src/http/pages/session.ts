import { createHmac, timingSafeEqual } from 'node:crypto'
import type { Context, Middleware } from 'koa'
import { ownPath } from '../../core/people/own-path.ts'
import { isRefusal, type Refusal, refuse } from '../../core/refusal.ts'
import { readForm } from '../oauth/read-form.ts'
import { clearHostCookie, type RequestHolder, type ResponseHolder, readCookie, setHostCookie } from './cookie.ts'
import { isFromOwnPage } from './own-origin.ts'
import { answerRefused } from './sign-in/refused-page.ts'
import type { SignedIn } from './signed-in.ts'

export type { SignedIn } from './signed-in.ts'

/** The field of a form that holds the token. */
export const CSRF_FIELD = 'csrf'

/** Whatever knows the request: a Koa context, or what oidc-provider hands to its interactions. */
export type Asking = RequestHolder & { readonly state?: { signedIn?: SignedIn } }

export interface Sessions {
  /** Read from the database each time: a login or a principal that was stopped is nobody at once. */
  readonly signedIn: (asking: RequestHolder) => Promise<SignedIn | undefined>
  /** Puts it into `context.state.signedIn`. Whoever is not signed in is sent to sign in, or, where something was to change, refused. */
  readonly requireSignedIn: Middleware
  /** The form of a page of this server that was made for this login. */
  readonly readGuardedForm: (asking: Asking) => Promise<ReadonlyMap<string, string> | Refusal>
  /** The form of a page of this server, before there is a login. */
  readonly readOwnForm: (asking: RequestHolder) => Promise<ReadonlyMap<string, string> | Refusal>
  /** What the browser holds now, good or not: whatever it is, a login that begins replaces it. */
  readonly heldSecret: (asking: RequestHolder) => string | undefined
  /** Gives the browser the secret of a login that has just begun. */
  readonly begin: (answering: ResponseHolder, secret: string) => void
  /** Has the browser forget it. */
  readonly forget: (answering: ResponseHolder) => void
}

export interface SessionParts {
  readonly issuer: string
  /** Unit: seconds. */
  readonly loginSeconds: number
  /** The login that a secret stands for, if it is good now. */
  readonly findLogin: (
    secret: string,
  ) => Promise<{ readonly id: string; readonly principalId: string; readonly principalName: string } | undefined>
}

const COOKIE = '__Host-writ_login'
/** 256 bits, base64url, as `begin` gives them out. */
const SECRET = /^[A-Za-z0-9_-]{43,64}$/
const DEFAULT_PATH = '/me'

/** The login sessions of principals, as pages use them. */
export function sessions({ issuer, loginSeconds, findLogin }: SessionParts): Sessions {
  const heldSecret = (asking: RequestHolder) => {
    const secret = readCookie(asking, COOKIE)
    return secret !== undefined && SECRET.test(secret) ? secret : undefined
  }
  const signedIn = async (asking: RequestHolder): Promise<SignedIn | undefined> => {
    const secret = heldSecret(asking)
    const login = secret === undefined ? undefined : await findLogin(secret)
    if (secret === undefined || login === undefined) return undefined
    const { id: loginId, principalId, principalName } = login
    return { loginId, principalId, principalName, csrfToken: csrfToken(secret) }
  }
  const readOwnForm = async (asking: RequestHolder) => {
    if (!isFromOwnPage(asking, issuer))
      return refuse('form_foreign', 'the form was not sent from a page of this server')
    return readForm(asking.req)
  }
  return {
    signedIn,
    heldSecret,
    requireSignedIn: async (context, next) => {
      const found = await signedIn(context)
      if (found === undefined) return turnAway(context)
      context.state.signedIn = found
      await next()
    },
    readOwnForm,
    readGuardedForm: async (asking) => {
      const form = await readOwnForm(asking)
      if (isRefusal(form)) return form
      // Asked once more, after the body: whoever is slow to send it may have been signed out, or suspended, meanwhile.
      const login = await signedIn(asking)
      if (login === undefined) return refuse('login_missing', 'nobody is signed in here any more')
      if (!isSame(form.get(CSRF_FIELD) ?? '', login.csrfToken)) {
        return refuse('form_foreign', 'the form was made for another sign-in; load its page again')
      }
      return form
    },
    begin: (answering, secret) => setHostCookie(answering, COOKIE, secret, loginSeconds),
    forget: (answering) => clearHostCookie(answering, COOKIE),
  }
}

/** Where somebody who is not signed in goes first, and from there to where he wanted to go. */
export const signInPath = (then: string): string => `/sign-in?then=${encodeURIComponent(then)}`

/** Where to go after a sign-in: what was asked for if it is a path of ours. */
export const pathAfterSignIn = (then: string | undefined): string => ownPath(then) ?? DEFAULT_PATH

function turnAway(context: Context): void {
  context.set('Cache-Control', 'no-store')
  if (context.method === 'GET' || context.method === 'HEAD') {
    context.redirect(signInPath(pathAfterSignIn(context.url)))
    context.status = 303
    return
  }
  answerRefused(context, refuse('login_missing', 'nothing was done'))
}

/**
 * Bound to the login by its secret, which only the server that hashes it and the browser that holds it have seen: whoever cannot read
 * the page of this login cannot make it.
 */
const csrfToken = (secret: string): string => createHmac('sha256', secret).update('writ form token').digest('base64url')

/** Compared in a time that does not tell how much of it was right. */
function isSame(given: string, expected: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(expected)]
  return a.length === b.length && timingSafeEqual(a, b)
}
