import type Router from '@koa/router'
import type { Database } from './adapters/prisma/open-database.ts'
import { newsFeed } from './adapters/prisma/people/news-feed.ts'
import { ownAffairs } from './adapters/prisma/people/own-affairs.ts'
import { ownStops } from './adapters/prisma/people/own-stops.ts'
import type { Approvals } from './approval-ports.ts'
import type { Config } from './config.ts'
import type { OidcModels } from './consent-ports.ts'
import type { Cursors } from './http/cursor.ts'
import { meRouter } from './http/interaction/me-router.ts'
import type { Sessions } from './http/pages/session.ts'
import type { Clock, Directory, Ids } from './ports.ts'

export interface MeParts {
  readonly config: Pick<Config, 'loginIdleSeconds'>
  readonly database: Pick<Database, 'prisma' | 'query' | 'transaction'>
  readonly sessions: Sessions
  readonly approvals: Approvals
  readonly models: Pick<OidcModels, 'waitingFor'>
  readonly directory: Pick<Directory, 'actionType'>
  readonly cursors: Cursors
  readonly ids: Ids
  readonly now: Clock
  readonly onFault: (error: unknown) => void
}

/** What a principal sees, answers and stops. Stopped before the port drains: an open page never ends by itself. */
export function openMe({
  config,
  database,
  sessions,
  approvals,
  models,
  directory,
  cursors,
  ids,
  now,
  onFault,
}: MeParts): {
  readonly router: Router
  readonly stop: () => Promise<void>
} {
  const news = newsFeed({ query: database.query, idleSeconds: config.loginIdleSeconds, onFault })
  const ports = { now, ids, directory, approvals, models, news, own: ownAffairs(database), stops: ownStops(database) }
  return { router: meRouter({ sessions, cursors, ports }), stop: news.stop }
}
