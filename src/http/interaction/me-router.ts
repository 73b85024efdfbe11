import Router from '@koa/router'
import type { Context } from 'koa'
import { wantsPage } from '../pages/fault-page.ts'
import { activity } from './me-activity.ts'
import { answer, approvalPage } from './me-approval.ts'
import { inbox } from './me-approvals.ts'
import { delegationPage } from './me-delegation.ts'
import { meEvents } from './me-events.ts'
import { agentPage, overview } from './me-overview.ts'
import type { MeParts } from './me-parts.ts'
import { revoke, revokePage, stopAgent, stopAgentPage } from './me-stop.ts'

/** The side of a principal: everything is for who is signed in, and about what is his. */
export function meRouter(parts: MeParts): Router {
  const router = new Router({ strict: true, sensitive: true })
  const { requireSignedIn } = parts.sessions
  const get = (path: string, serve: (parts: MeParts, context: Context, id: string | undefined) => Promise<void>) =>
    router.get(path, requireSignedIn, (context) => serve(parts, context, context.params.id))
  const post = (path: string, serve: (parts: MeParts, context: Context, id: string | undefined) => Promise<void>) =>
    router.post(path, requireSignedIn, (context) => serve(parts, context, context.params.id))

  // Whoever types the address of the server alone is most likely looking for this.
  router.get('/', async (context, next) => {
    if (!wantsPage(context)) return next()
    context.redirect('/me')
    context.status = 303
  })
  get('/me', overview)
  get('/me/activity', activity)
  get('/me/agents/:id', agentPage)
  get('/me/agents/:id/stop', stopAgentPage)
  post('/me/agents/:id/stop', stopAgent)
  get('/me/delegations/:id', delegationPage)
  get('/me/delegations/:id/revoke', revokePage)
  post('/me/delegations/:id/revoke', revoke)
  get('/me/approvals', inbox)
  get('/me/approvals/:id', approvalPage)
  post('/me/approvals/:id', answer)
  router.get('/me/events', requireSignedIn, meEvents(parts.ports))
  return router
}
