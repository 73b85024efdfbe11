import { accountRoutes } from './account-routes.ts'
import { actionTypeRoutes } from './action-type-routes.ts'
import { administratorRoutes } from './administrator-routes.ts'
import { agentRoutes } from './agent-routes.ts'
import { approvalRoutes } from './approval-routes.ts'
import { decisionRoutes } from './decision-routes.ts'
import { delegationRoutes } from './delegation-routes.ts'
import { delegationTreeRoutes } from './delegation-tree-routes.ts'
import { downstreamRoutes } from './downstream-routes.ts'
import { enrolmentRoutes } from './enrolment-routes.ts'
import { instanceRoutes } from './instance-routes.ts'
import { openapiRoute } from './openapi.ts'
import { passkeyRoutes } from './passkey-routes.ts'
import { principalRoutes } from './principal-routes.ts'
import { resourceRoutes } from './resource-routes.ts'
import type { Route } from './route.ts'
import { signInLinkRoutes } from './sign-in-link-routes.ts'
import { upstreamIdentityRoutes } from './upstream-identity-routes.ts'

/** The whole admin API, one row a route; the last one describes all of them. */
export function adminRoutes(issuer: string): readonly Route[] {
  const routes = rows(issuer)
  return [...routes, openapiRoute(issuer, routes)]
}

const rows = (issuer: string): readonly Route[] => [
  ...agentRoutes,
  ...enrolmentRoutes,
  ...instanceRoutes,
  ...principalRoutes,
  ...signInLinkRoutes(issuer),
  ...passkeyRoutes,
  ...upstreamIdentityRoutes,
  ...resourceRoutes(issuer),
  ...downstreamRoutes,
  ...actionTypeRoutes,
  ...delegationRoutes,
  ...delegationTreeRoutes,
  ...decisionRoutes,
  ...approvalRoutes(issuer),
  ...administratorRoutes,
  ...accountRoutes,
]
