import type Router from '@koa/router'
import type { Database } from './adapters/prisma/open-database.ts'
import { logins } from './adapters/prisma/people/logins.ts'
import { signInLinks } from './adapters/prisma/people/sign-in-links.ts'
import { currentLogin } from './commands/people/logins.ts'
import type { Config } from './config.ts'
import type { FailureThrottle } from './http/oauth/throttle.ts'
import { loginRouter } from './http/pages/me/login-routes.ts'
import { type Sessions, sessions } from './http/pages/session.ts'
import { signInRouter } from './http/pages/sign-in/sign-in-routes.ts'
import type { Clock, Ids, StrangerTally } from './ports.ts'

export interface PeopleParts {
  readonly issuer: string
  readonly config: Pick<Config, 'loginSeconds' | 'loginIdleSeconds'>
  readonly database: Pick<Database, 'query' | 'transaction'>
  readonly ids: Ids
  readonly now: Clock
  readonly strangers: StrangerTally
  readonly throttle: FailureThrottle
}

/** The side of principals: who is signed in, and the pages on which they sign in. Other pages are built on its `sessions`. */
export interface People {
  readonly sessions: Sessions
  readonly routers: readonly Router[]
}

export function openPeople({ issuer, config, database, ids, now, strangers, throttle }: PeopleParts): People {
  const ports = {
    ids,
    strangers,
    logins: logins(database),
    signInLinks: signInLinks(database),
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
      signInRouter({ issuer, sessions: session, throttle, ports, now }),
      loginRouter({ sessions: session, ports, now }),
    ],
  }
}
