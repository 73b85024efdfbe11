import type Router from '@koa/router'
import type { KeyEncryption } from './adapters/keys/key-encryption.ts'
import type { SigningKeys } from './adapters/keys/signing-keys.ts'
import type { SubjectTokenKeeper } from './adapters/keys/subject-tokens.ts'
import { flowClients } from './adapters/prisma/flow-clients.ts'
import { flowDelegations } from './adapters/prisma/flow-delegations.ts'
import { oidcModels } from './adapters/prisma/oidc-models.ts'
import type { OidcStore } from './adapters/prisma/oidc-store.ts'
import type { Database } from './adapters/prisma/open-database.ts'
import type { AuthenticatePorts } from './commands/authenticate-client.ts'
import type { StopPorts } from './commands/refuse-while-stopped.ts'
import type { OidcModels } from './consent-ports.ts'
import type { ConsentPorts } from './http/interaction/answer-consent.ts'
import { showProviderError } from './http/interaction/consent-problem.ts'
import { consentRouter } from './http/interaction/consent-routes.ts'
import { deviceRouter } from './http/interaction/device-routes.ts'
import { type FlowDoors, flowDoors } from './http/oauth/flow-doors.ts'
import { type OpenedProvider, openProvider } from './http/oauth/provider.ts'
import type { FailureThrottle } from './http/oauth/throttle.ts'
import type { Sessions } from './http/pages/session.ts'
import { rateLimiter } from './http/rate-limit.ts'
import type { Directory } from './ports.ts'

export interface ProviderFlowParts {
  readonly issuer: string
  readonly database: Pick<Database, 'query' | 'transaction'>
  readonly encryption: KeyEncryption
  readonly keys: SigningKeys
  readonly subjectTokens: SubjectTokenKeeper
  readonly cookieKey: string
  readonly nonceSecret: Buffer | undefined
  readonly tokenLifetimeSeconds: number
  readonly directory: Directory
  readonly store: OidcStore
  readonly ports: ConsentPorts
  readonly fetch: typeof globalThis.fetch
  readonly onFault: (error: unknown) => void
}

/** oidc-provider as it is now, and what its flows are kept in. */
export interface ProviderFlows {
  readonly provider: () => OpenedProvider
  /** Builds it anew, for what it fixes when it is built (its keys) has changed. No flow notices. */
  readonly rebuild: () => void
  readonly models: OidcModels
  readonly findFlowClient: ReturnType<typeof flowClients>['find']
}

export function openProviderFlows(parts: ProviderFlowParts): ProviderFlows {
  const { issuer, database, encryption, keys, subjectTokens, directory, store, ports, onFault } = parts
  const models = oidcModels(database.query, encryption)
  const findFlowClient = flowClients(database.query).find
  const build = () =>
    openProvider({
      ...{
        issuer,
        models,
        findFlowClient,
        ports,
        cookieKey: parts.cookieKey,
        nonceSecret: parts.nonceSecret,
        ...store,
      },
      // The one that signs now comes first: of what the library signs by itself, it takes the first that will do.
      keys: { jwks: activeFirst(keys), activeKid: () => keys.active().kid },
      tokenLifetimeSeconds: parts.tokenLifetimeSeconds,
      findClient: (id) => directory.client(id, 'fresh'),
      delegations: flowDelegations(database),
      newRecordId: ports.ids.recordId,
      subjectClaims: subjectTokens.claims,
      // A ping that does not arrive changes nothing: the answer is there for the next poll.
      fetch: async (url, options) => {
        try {
          const { ok, status } = await parts.fetch(url, options)
          if (!ok) onFault(new Error(`a ping was answered with ${status}`))
        } catch (error) {
          onFault(error)
        }
        return new Response(null, { status: 204 })
      },
      showError: showProviderError,
      onFault,
    })
  let provider = build()
  return {
    ...{ models, findFlowClient, provider: () => provider },
    rebuild: () => {
      provider = build()
    },
  }
}

function activeFirst(keys: SigningKeys) {
  const { kid: active } = keys.active()
  return keys.privateJwks().toSorted((a, b) => Number(b.kid === active) - Number(a.kid === active))
}

export interface FlowParts {
  readonly issuer: string
  readonly flows: ProviderFlows
  readonly ports: ConsentPorts & AuthenticatePorts & StopPorts
  readonly sessions: Sessions
  readonly throttle: FailureThrottle
  readonly nextNonce: (() => string) | undefined
}

/** Browsers that come for one agent. */
const VISITS = { perSecond: 20, burst: 200 }
/** Codes that one principal may get wrong: ten at once, and one every half minute. */
const WRONG_CODES = { perSecond: 1 / 30, burst: 10 }

/** The doors and pages of the flows in which a principal delegates in a browser. */
export function openFlows({ issuer, flows, ports, sessions, throttle, nextNonce }: FlowParts): {
  readonly doors: FlowDoors
  readonly routers: readonly Router[]
} {
  const { provider, models, findFlowClient } = flows
  const consent = { issuer, ports, sessions, provider, models, findFlowClient }
  return {
    doors: flowDoors({
      ...{ ports: { ...ports, issuer }, provider, findFlowClient, throttle, nextNonce, showError: showProviderError },
      visits: rateLimiter(VISITS),
    }),
    routers: [consentRouter(consent), deviceRouter({ ...consent, wrongCodes: rateLimiter(WRONG_CODES) })],
  }
}
