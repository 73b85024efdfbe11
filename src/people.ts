import type Router from '@koa/router'
import { upstreamProvider } from './adapters/people/upstream-provider.ts'
import { webauthn } from './adapters/people/webauthn.ts'
import type { Database } from './adapters/prisma/open-database.ts'
import { logins } from './adapters/prisma/people/logins.ts'
import { passkeys } from './adapters/prisma/people/passkeys.ts'
import { refusedSignIns } from './adapters/prisma/people/refused-sign-ins.ts'
import { signInLinks } from './adapters/prisma/people/sign-in-links.ts'
import { upstreamIdentities } from './adapters/prisma/people/upstream-identities.ts'
import { currentLogin } from './commands/people/logins.ts'
import type { Config } from './config.ts'
import type { FailureThrottle } from './http/oauth/throttle.ts'
import { loginRouter } from './http/pages/me/login-routes.ts'
import { passkeyRouter } from './http/pages/me/passkey-routes.ts'
import type { Sealing } from './http/pages/sealed-cookie.ts'
import { type Sessions, sessions } from './http/pages/session.ts'
import { signInRouter } from './http/pages/sign-in/sign-in-routes.ts'
import type { OnceOnly } from './people-ports.ts'
import type { Clock, Ids, StrangerTally } from './ports.ts'
import { isLoopbackIssuer } from './upstream-config.ts'

export interface PeopleParts {
  readonly issuer: string
  readonly config: Pick<
    Config,
    'loginSeconds' | 'loginIdleSeconds' | 'storedRefusalsPerHour' | 'upstream' | 'production'
  >
  readonly database: Pick<Database, 'query' | 'transaction'>
  readonly ids: Ids
  readonly now: Clock
  readonly strangers: StrangerTally
  readonly throttle: FailureThrottle
  readonly sealing: Sealing
  readonly onceOnly: OnceOnly
  /** Writes into the operators' log. */
  readonly warn: (facts: object, message: string) => void
}

/** The side of principals: who is signed in, and the pages on which they sign in. Other pages are built on its `sessions`. */
export interface People {
  readonly sessions: Sessions
  readonly routers: readonly Router[]
}

export function openPeople({
  issuer,
  config,
  database,
  ids,
  now,
  strangers,
  throttle,
  sealing,
  onceOnly,
  warn,
}: PeopleParts): People {
  const ports = {
    ids,
    strangers,
    logins: logins(database),
    signInLinks: signInLinks(database),
    passkeys: passkeys(database),
    refusedSignIns: refusedSignIns(database.query, config.storedRefusalsPerHour),
    webauthn: webauthn(issuer),
    onceOnly,
    upstreamIdentities: upstreamIdentities(database),
    upstream: config.upstream.map((upstream) =>
      upstreamProvider({
        ...upstream,
        isLoopback: !config.production && isLoopbackIssuer(upstream.issuer),
        onFailure: (reason) => warn({ provider: upstream.name, reason }, 'a sign-in by an upstream provider failed'),
      }),
    ),
    loginSeconds: config.loginSeconds,
    loginIdleSeconds: config.loginIdleSeconds,
  }
  const session = sessions({
    issuer,
    loginSeconds: config.loginSeconds,
    findLogin: (secret) => currentLogin(ports, secret),
  })
  return {
    sessions: session,
    routers: [
      signInRouter({ issuer, sessions: session, throttle, ports, sealing, now }),
      loginRouter({ sessions: session, ports, now }),
      passkeyRouter({ sessions: session, ports, sealing, now }),
    ],
  }
}
